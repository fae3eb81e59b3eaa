import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Pool } from "../../dist/pool/index.js";
import { machine } from "../load/machine.ts";
import { medianOf } from "./median.ts";
import { spin } from "./tasks.ts";

const peers = join(import.meta.dirname, "..", ".peers");
const python = join(peers, "bin", "python");
const installed = ["piscina", "tinypool"].filter((name) => existsSync(join(peers, "node_modules", name)));
const names = ["loop", "pawl map", "pawl submit", ...installed];
const sizes = [
  [100_000, 10],
  [20_000, 1_000],
  [2_000, 100_000],
  [20, 10_000_000],
] as const;

console.log(`${machine()}\n\nSum of bytes, milliseconds (median of 5, warm):`);
console.log(["items", "bytes each", ...names, "multiprocessing"].join("\t"));
for (const [count, size] of sizes) {
  const given = [String(count), String(size)];
  const own = names.map((name) => print(process.execPath, ["contestant.ts", name, ...given]));
  const theirs = existsSync(python) ? print(python, ["multiprocessing_sum.py", ...given]) : "not installed";
  console.log([...given, ...own, theirs].join("\t"));
}
if (installed.length < 2) console.log("Peers are missing: run bench/peers.sh");

const cores = availableParallelism();
await using pool = new Pool();
const ones = new Array<number>(2000).fill(1);
await pool.map(spin, ones);
const spun = await medianOf(5, () => pool.map(spin, ones));
console.log(`\n2,000 items of 1 ms: ${spun} ms, ${(2000 / spun / cores).toFixed(2)} of ${cores} cores`);
for (const isolate of ["thread", "process"] as const) {
  await using stuck = new Pool({ workers: 1, isolate });
  await stuck.apply(spin, 1);
  const began = performance.now();
  await stuck
    .submitWith({ timeout: 100 }, spin, 60_000)
    .result()
    .catch(() => {});
  const beyond = (performance.now() - began - 100).toFixed(0);
  console.log(`a busy loop with a limit of 100 ms, ${isolate}: ended ${beyond} ms later`);
}

function print(program: string, [file = "", ...given]: readonly string[]): string {
  return execFileSync(program, [join(import.meta.dirname, file), ...given], { encoding: "utf8" }).trim();
}
