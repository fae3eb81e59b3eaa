import assert from "node:assert/strict";
import { differenceOf, parseAnswer } from "../../test/data/tpch/answers.ts";
import { tpchData } from "../../test/data/tpch/data.ts";
import { table } from "../pool/table.ts";
import type { Result } from "./contest.ts";
import { openRaw, quoted } from "./duckdb.ts";
import { median } from "./interval.ts";
import type { Run } from "./measure.ts";

/** Sums of floats depend on their order, and every side has one of its own. */
const TOLERANCE = 1e-9;

/** Every side's file holds the users of the first one's with the same counts, and with sums and means as near as floats are. */
export async function sameFile(results: readonly Result[]): Promise<void> {
  using raw = await openRaw({ memory_limit: "2GB" });
  const [first, ...others] = results;
  if (first === undefined) return;
  for (const other of others) {
    const near = (column: string) =>
      `abs(a.${column} - b.${column}) <= ${TOLERANCE} * greatest(1, abs(a.${column}))`;
    const [found] =
      await raw.rows(`SELECT count(*)::INT AS different FROM read_parquet(${quoted(first.output)}) a
      FULL JOIN read_parquet(${quoted(other.output)}) b ON a."user" = b."user"
      WHERE NOT coalesce(a.n = b.n AND ${near("total")} AND ${near("mean")}, false)`);
    assert.equal(found?.different, 0, `${other.side} came to another result than ${first.side}`);
  }
}

/** What these sides counted is equal. */
export function figures(name: string, sides: readonly string[]): (results: readonly Result[]) => void {
  return (results) => {
    const counted = results.filter(({ side }) => sides.includes(side));
    for (const { side, run } of counted) {
      assert.equal(run.printed[name], counted[0]?.run.printed[name], `${side} counted other ${name} rows`);
    }
  };
}

interface Asked {
  readonly number: number;
  /** Processor time. */
  readonly seconds: number;
  readonly rows: readonly (readonly unknown[])[];
}

/** Every side came to the known answers of TPC-H. */
export async function sameAnswers(results: readonly Result[]): Promise<void> {
  const { questions } = await tpchData();
  for (const { side, run } of results) {
    const answers = run.printed.answers as readonly Asked[];
    for (const { number, answer } of questions) {
      const known = parseAnswer(answer);
      const rows = answers.find((each) => each.number === number)?.rows;
      if (rows === undefined) throw new Error(`${side} has not answered question ${number}`);
      const difference = differenceOf(known, { columns: known.columns, rows });
      if (difference !== null) throw new Error(`question ${number}, ${side}: ${difference}`);
    }
  }
}

/** Processor time of all questions, without the start of the process. */
export function questionSeconds(run: Run): number {
  return (run.printed.answers as readonly Asked[]).reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Processor time of each question and side, as a table. */
export function questionTimes(runs: ReadonlyMap<string, readonly Run[]>): string {
  const sides = [...runs.keys()];
  const secondsOf = (side: string, number: number) =>
    median(
      (runs.get(side) ?? []).map((run) => {
        const asked = (run.printed.answers as readonly Asked[]).find((each) => each.number === number);
        return asked?.seconds ?? Number.NaN;
      }),
    );
  const rows = Array.from({ length: 22 }, (_, index) => {
    const seconds = sides.map((side) => secondsOf(side, index + 1));
    const [first = Number.NaN, second = Number.NaN] = seconds;
    const ratio = sides.length === 2 ? [(second / first).toFixed(2)] : [];
    return [`question ${index + 1}`, ...seconds.map((each) => each.toFixed(3)), ...ratio];
  });
  return table([["CPU seconds", ...sides, ...(sides.length === 2 ? ["ratio"] : [])], ...rows]);
}
