import type { Failure, WriteOutcome } from "../../../../batch/contract.ts";
import { searchBadRows } from "../bad-row-search.ts";
import { failureOf, rowErrorOf } from "../row-errors.ts";
import { NOTHING, total } from "../table-writer.ts";
import { countOutcome, writeStaged } from "./copy-and-merge.ts";
import type { CopyRows } from "./copy-rows.ts";
import { fillJson } from "./json-staging.ts";
import { fillNumbered } from "./refused-records.ts";
import type { Staging } from "./staging.ts";
import type { LoadStatements, Selection } from "./statements.ts";

/**
 * Writes what can be written and tells of every other row why not. Rows that COPY refuses are found while they are staged; rows
 * that a constraint or a trigger refuses, by cutting down to the ones for which the statement fails.
 */
export async function writeRowByRow(staging: Staging, rows: CopyRows): Promise<WriteOutcome> {
  const { session, target } = staging;
  const unreadable = await stageNumbered(staging, rows);
  const sql = staging.statements(rows);
  const from = staging.numberedOf(rows);
  // Deferred constraints are checked with each statement, so that it is known which row they refuse.
  await session.run("SET CONSTRAINTS ALL IMMEDIATE");
  const outcomes: WriteOutcome[] = [];
  /** Several rows with one key were met. */
  let repeats = false;
  const write = async (some: Pick<Selection, "range" | "only">, count: number): Promise<WriteOutcome> => {
    const taken = await takenKeys(staging, sql, { from, ...some });
    const left = count - taken.length;
    const selection = { from, ...some, without: taken.map(({ index }) => index) };
    const plan = { lookFirst: target.table.triggersBefore, lastOnly: repeats };
    const written = await writeStaged(staging, sql, selection, left, plan);
    if (written.superseded > 0) repeats = true;
    const outcome = await countOutcome(staging, sql, selection, left, written);
    return total([outcome, { ...NOTHING, failures: taken }]);
  };
  const refused = await searchBadRows({
    numbers: stagedNumbers(rows, unreadable),
    table: target.table,
    attempt: ({ numbers, consecutive }, trial) => {
      const [first = 0] = numbers;
      const some = consecutive
        ? ({ range: [first, numbers.at(-1) ?? first] } as const)
        : ({ only: numbers } as const);
      const writeSome = () => write(some, numbers.length);
      // A statement that fails takes itself back.
      return rowErrorOf(async () => {
        if (trial) await session.savepoint(writeSome, { trial });
        else outcomes.push(await writeSome());
      });
    },
    mayComeLater: async (number) => {
      // Which rows have the same key shows only once a trigger has made it.
      if (target.keyComputed && target.mode === "update") return false;
      // A row is left alone when a later one has its key, which has won.
      const { again } = await session.one<{ again: boolean }>(sql.comesAgain(from, number));
      return !again;
    },
  });
  const failures = [...refused].map(([index, error]) => failureOf(index, error, (name) => sql.nameOf(name)));
  return total([...outcomes, { ...NOTHING, failures: [...failures, ...unreadable] }]);
}

/** Fills the staging table that numbers the rows; returns those that cannot be read. */
export async function stageNumbered(staging: Staging, rows: CopyRows): Promise<Failure[]> {
  if (staging.numberedOf(rows) === "json") return await fillJson(staging, rows);
  const failures = await fillNumbered(staging, rows);
  // A row may be too large for a row of a staging table, which holds also what is left out, and not for the target.
  if (!failures.some(({ code }) => code === PROGRAM_LIMIT)) return failures;
  staging.stageAsJson(rows);
  return await fillJson(staging, rows);
}

/** SQLSTATE "program_limit_exceeded", such as a row that is too big for a page. */
const PROGRAM_LIMIT = "54000";

function stagedNumbers({ first, items }: CopyRows, missing: readonly Failure[]): number[] {
  const unreadable = new Set(missing.map(({ index }) => index));
  return Array.from({ length: items }, (_, at) => first + at).filter((number) => !unreadable.has(number));
}

/** With `fail`: the rows whose key is in the table already. */
async function takenKeys(
  { session, target: { mode, key } }: Staging,
  sql: LoadStatements,
  selection: Selection,
): Promise<Failure[]> {
  if (mode !== "fail" || key === null) return [];
  const [found] = await session.run(sql.taken(selection));
  const names = key.columns.map((column) => column.name).join(", ");
  return ((found?.rows ?? []) as { n: number; key: string }[]).map(({ n, key: value }) => ({
    index: n,
    reason: `A row with the key (${names}) = (${value}) is there already.`,
    code: "23505",
  }));
}
