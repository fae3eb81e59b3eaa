import type { WriteOutcome } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { quoteName } from "../../identifier.ts";
import type { PostgresSession } from "../../session.ts";
import type { KeyRangeChunk } from "../../source/key-range.ts";
import { between, equal, filterSql, type KeyTexts } from "../../source/keyset.ts";
import { type SomeRows, searchBadRows } from "../bad-row-search.ts";
import { failureOf, rowErrorOf } from "../row-errors.ts";
import { assertKeysStayed, type ChangeTarget } from "./change-target.ts";

/**
 * Changes the rows of a range where they are, by one statement. Leaves the transaction open. A lock that others hold for longer than
 * `lockTimeout` (../change.ts) ends the transaction, and `TableWriter.write` tries it again.
 */
export async function changeRange(
  session: PostgresSession,
  target: ChangeTarget,
  chunk: KeyRangeChunk,
): Promise<WriteOutcome> {
  checkSame(target, chunk);
  // A trigger may keep rows as they are: then what was changed does not tell how many there were.
  const met = target.triggersBefore ? await count(session, target, chunk) : 0;
  let written = 0;
  const attempt = (condition: (values: unknown[]) => string, trial: boolean) =>
    rowErrorOf(async () => {
      const values: unknown[] = [];
      const statement = () => change(session, target, chunk, condition(values), values);
      const n = await session.savepoint(statement, { trial, checked: true });
      if (!trial) written += n;
    });
  let keys: readonly KeyTexts[] = [];
  let refused: ReadonlyMap<number, Error> = new Map();
  if ((await attempt((values) => chunk.condition(values), false)) !== null) {
    keys = await chunk.keys();
    refused = await searchBadRows({
      numbers: [...keys.keys()],
      table: target.table,
      attempt: (some, trial) => attempt((values) => conditionOf(chunk, keys, some, values), trial),
    });
  }
  const failures = [...refused.values()].map((error, index) => failureOf(index, error));
  const items = chunk.recordRefused(
    Math.max(met, keys.length, written + failures.length),
    [...refused.keys()].map((at) => keys[at] as KeyTexts),
  );
  const counted = Math.min(written, items - failures.length);
  return {
    written: counted,
    unchanged: 0,
    skipped: items - counted - failures.length,
    duplicates: 0,
    failures,
  };
}

async function count(
  session: PostgresSession,
  { table }: ChangeTarget,
  chunk: KeyRangeChunk,
): Promise<number> {
  const values: unknown[] = [];
  const { rows } = await session.query<{ n: number }>(
    `SELECT pg_catalog.count(*)::int4 AS n FROM ${table.sql} WHERE ${chunk.condition(values)}`,
    values,
  );
  return rows[0]?.n ?? 0;
}

async function change(
  session: PostgresSession,
  { change, table, set, keyset, keyMayChange: moving }: ChangeTarget,
  { range }: KeyRangeChunk,
  condition: string,
  values: unknown[],
): Promise<number> {
  const statement =
    change === "delete" ? `DELETE FROM ${table.sql}` : `UPDATE ${table.sql} SET ${setSql(set).join(", ")}`;
  if (!moving || range === null) {
    const { rowCount } = await session.query(`${statement} WHERE ${condition}`, values);
    return rowCount ?? 0;
  }
  const names = keyset.columns.map((column) => quoteName(column.name)).join(", ");
  const stayed = between({ ...table, sql: "pawl_done" }, keyset, range.from, range.to, values);
  const { n, moved } = (
    await session.query<{ n: number; moved: number }>(
      `WITH pawl_done AS (${statement} WHERE ${condition} RETURNING ${names})
       SELECT pg_catalog.count(*)::int4 AS n, (pg_catalog.count(*) FILTER (WHERE (${stayed}) IS NOT TRUE))::int4 AS moved FROM pawl_done`,
      values,
    )
  ).rows[0] as { n: number; moved: number };
  assertKeysStayed(table, keyset, moved);
  return n;
}

export function setSql(set: ChangeTarget["set"]): string[] {
  return set.map(({ column, expression }) => `${quoteName(column.name)} = (${expression}\n)`);
}

/** The condition for the rows with some of the keys: a range where they lie side by side. */
function conditionOf(
  chunk: KeyRangeChunk,
  keys: readonly KeyTexts[],
  { numbers, consecutive }: SomeRows,
  values: unknown[],
): string {
  const { range, view } = chunk;
  if (range === null) return chunk.condition(values);
  if (!consecutive) {
    const each = numbers.map((at) => equal(view.table, view.keyset, keys[at] as KeyTexts, values));
    return `(${each.join(" OR ")})${filterSql(view.where)}`;
  }
  const [low = 0] = numbers;
  const from = low === 0 ? range.from : (keys[low - 1] as KeyTexts);
  const to = keys[numbers.at(-1) ?? low] as KeyTexts;
  return between(view.table, view.keyset, from, to, values) + filterSql(view.where);
}

function checkSame(target: ChangeTarget, chunk: KeyRangeChunk): void {
  const { table } = chunk.view;
  if (chunk.reader.address !== target.address || table.oid !== target.table.oid) {
    throw new PawlError(
      "postgres.other-table",
      `Rows of ${table.label} at ${chunk.reader.address} cannot be changed where they are in ${target.table.label} at ${target.address}: give the source and the sink the same URL and table, or put a transform between them.`,
    );
  }
  if (target.change === "delete" || target.set.length > 0) return;
  throw new PawlError(
    "postgres.nothing-to-change",
    `Nothing says what to change in ${table.label}: give update() a set, or put a transform between that returns the columns to change.`,
  );
}
