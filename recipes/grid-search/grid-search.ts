import { Pool, put } from "pawl/pool";
import { makeData } from "./data.ts";
import { grid, type Score, score, trained } from "./search.ts";

/** The table's columns: head and how a value is written. */
const COLUMNS: readonly (readonly [string, (score: Score) => string])[] = [
  ["learning rate", ({ learningRate }) => String(learningRate)],
  ["batch", ({ batch }) => String(batch)],
  ["dropout", ({ dropout }) => String(dropout)],
  ["width", ({ width }) => String(width)],
  ["loss", ({ loss }) => loss.toFixed(4)],
  ["accuracy", ({ accuracy }) => `${(100 * accuracy).toFixed(1)} %`],
];

function print(scores: readonly Score[]): void {
  const rows = [COLUMNS.map(([head]) => head), ...scores.map((one) => COLUMNS.map(([, text]) => text(one)))];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => (row[at] as string).length)));
  for (const row of rows) console.log(row.map((text, at) => text.padStart(widths[at] as number)).join("  "));
}

const set = makeData(1);
// Once into shared memory, for all trials and every worker.
using data = put(set);
await using pool = new Pool();
const scores = await pool.map(
  score,
  grid().map((parameters) => ({ ...parameters, data })),
);
const ranked = scores.toSorted((a, b) => a.loss - b.loss);
console.log(`${scores.length} networks; the ten best:`);
print(ranked.slice(0, 10));
const best = ranked[0] as Score;
const { accuracy } = trained(set, best).judge(set.test);
console.log(
  `The best one tells ${(100 * accuracy).toFixed(1)} % of ${set.test.labels.length} new rows right.`,
);
