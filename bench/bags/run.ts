import { join } from "node:path";
import { holdAll } from "../frames/season.ts";
import type { Side } from "../frames/side.ts";
import { python } from "../pool/peers.ts";
import { bagCases } from "./cases.ts";

const folder = join(import.meta.dirname, "sides");
const sides = new Map<string, Side>([
  ["raw", { what: "DuckDB over raw lines", command: [process.execPath, join(folder, "raw.ts")] }],
  ["pawl", { what: "pawl/data/bag", command: [process.execPath, join(folder, "pawl.ts")] }],
  ["dask", { what: "Dask Bag, processes", command: [python, join(folder, "dask_side.py")] }],
]);

await holdAll(bagCases, sides, new Map());
