import assert from "node:assert/strict";
import type { Contest, Result } from "../frames/contest.ts";
import type { InputName } from "../frames/inputs.ts";

const LINES = 2_600_000;
/** One line in so many is cut off. */
const MALFORMED_EVERY = 988;

const shared = { input: "log", rows: LINES, memory: 1e9, same: sameCounts } as const;
const question = "level ERROR, the messages, their number";

export const bagCases: readonly Contest<InputName>[] = [
  {
    ...shared,
    name: "expressions",
    what: `JSONL, by expressions: ${question}`,
    sides: ["raw", "pawl", "dask"],
    against: [
      { side: "raw", by: "cpu" },
      { side: "dask", by: "wall", atLeast: 5 },
    ],
  },
  {
    ...shared,
    name: "functions",
    what: `JSONL, by functions: ${question}`,
    sides: ["pawl", "dask"],
    against: [{ side: "dask", by: "wall", atLeast: 4 }],
  },
];

/** All count the same lines, malformed ones and messages, and what was made malformed is found. */
async function sameCounts(results: readonly Result[]): Promise<void> {
  for (const { side, run } of results) {
    const { read, malformed, count } = run.printed;
    const first = results[0]?.run.printed;
    assert.deepEqual(
      { read, malformed, count },
      {
        read: first?.read,
        malformed: Math.floor((first?.read as number) / MALFORMED_EVERY),
        count: first?.count,
      },
      `${side} counted otherwise than ${results[0]?.side}`,
    );
  }
}
