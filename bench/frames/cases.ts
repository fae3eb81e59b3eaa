import type { Contest } from "./contest.ts";
import type { InputName } from "./inputs.ts";
import { figures, questionSeconds, questionTimes, sameAnswers, sameFile } from "./same.ts";

/** About 61 bytes of CSV each. */
const PAYMENTS = 14_000_000;
const KEYS_MEMORY = 450e6;

const byUser = "amount > 100, by user: sum, count, mean";
const memory = 1e9;

export const frameCases: readonly Contest<InputName>[] = [
  {
    name: "csv",
    what: `group-by over CSV: ${byUser}`,
    input: "csv",
    rows: PAYMENTS,
    memory,
    sides: ["raw", "pawl", "polars", "nodejs-polars", "dask", "dask-cluster"],
    against: [
      { side: "raw", by: "cpu", atMost: 1.05 },
      { side: "dask", by: "wall", atLeast: 2.2 },
      { side: "dask-cluster", by: "wall", atLeast: 3.5 },
    ],
    same: sameFile,
  },
  {
    name: "parquet",
    what: `group-by over Parquet: ${byUser}`,
    input: "parquet",
    rows: PAYMENTS,
    memory,
    sides: ["raw", "pawl", "polars", "nodejs-polars", "dask", "dask-cluster"],
    against: [
      { side: "raw", by: "cpu", atMost: 1.05 },
      { side: "dask", by: "wall", atLeast: 2.5 },
      { side: "dask-cluster", by: "wall", atLeast: 3.5 },
    ],
    same: sameFile,
  },
  {
    name: "quarantine",
    what: "the same over CSV with bad amounts: they are kept apart and counted",
    input: "dirty",
    rows: PAYMENTS,
    memory,
    // Others drop them without a word, so the engine that drops them is the peer, and the one that keeps them stands beside it.
    sides: ["raw", "dropping", "pawl", "polars", "dask"],
    asks: new Map([
      ["raw", "quarantine"],
      ["pawl", "quarantine"],
      ["polars", "dropping"],
      ["dask", "dropping"],
    ]),
    against: [{ side: "dropping", by: "cpu", atMost: 1.3 }],
    same: sameFile,
    figures: figures("rejected", ["raw", "pawl"]),
  },
  {
    name: "keys",
    what: `sum and count of ${PAYMENTS / 1e6} M different keys, in 450 MB`,
    input: "parquet",
    rows: PAYMENTS,
    memory: KEYS_MEMORY,
    sides: ["raw", "pawl", "polars", "dask"],
    against: [],
    same: sameFile,
  },
  {
    name: "tpch",
    what: "the 22 questions of TPC-H, scale factor 1",
    input: "tpch",
    rows: 1,
    memory: 2e9,
    sides: ["raw", "pawl"],
    against: [{ side: "raw", by: "cpu", atMost: 1.1 }],
    same: sameAnswers,
    cpuSeconds: questionSeconds,
    details: questionTimes,
  },
];
