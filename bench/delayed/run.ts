/**
 * What a call of a graph costs beyond its function, in microseconds, beside Dask: graphs of functions that do next to nothing. The time is
 * that of `compute` alone, with the start of workers in it; a side runs in a process of its own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../load/machine.ts";
import { python } from "../pool/peers.ts";
import { table } from "../pool/table.ts";

/** A call may cost so much, in microseconds. */
const TARGET_US = 20;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "10000" },
    repeat: { type: "string", default: "3" },
    only: { type: "string", default: "wide,chain,tree" },
  },
});
const calls = Number(values.calls);
const repeat = Number(values.repeat);
const dask = join(import.meta.dirname, "dask_side.py");

interface DelayedSide {
  readonly name: string;
  readonly command: (shape: string) => readonly string[];
}

const sides: readonly DelayedSide[] = [
  {
    name: "pawl",
    command: (shape) => [process.execPath, join(import.meta.dirname, "pawl_side.ts"), shape, String(calls)],
  },
  { name: "Dask, threads", command: (shape) => [python, dask, shape, String(calls), "threads"] },
  { name: "Dask, 2 processes", command: (shape) => [python, dask, shape, String(calls), "cluster"] },
];

console.log(machine());
const version = spawnSync(python, [dask, "version"], { encoding: "utf8" });
if (version.status !== 0) throw new Error("Dask cannot be loaded: run bench/peers.sh");
console.log(version.stdout.trim());

const rows = [["calls", "shape", ...sides.map(({ name }) => name)]];
let met = true;
for (const shape of values.only.split(",")) {
  const medians = sides.map(({ name, command }) => {
    const runs = Array.from({ length: repeat }, () => once(name, command(shape)));
    const [first] = runs;
    if (runs.some(({ value }) => value !== first?.value)) throw new Error(`${name} differs from itself`);
    const sorted = runs.map(({ seconds }) => seconds).sort((a, b) => a - b);
    return { value: first?.value, us: ((sorted[Math.floor(repeat / 2)] ?? 0) / calls) * 1e6 };
  });
  if (new Set(medians.map(({ value }) => value)).size > 1)
    throw new Error(`the sides differ: ${medians.map(({ value }) => value).join(", ")}`);
  met &&= (medians[0]?.us ?? Number.POSITIVE_INFINITY) < TARGET_US;
  rows.push([String(calls), shape, ...medians.map(({ us }) => `${us.toFixed(1)} µs`)]);
}
console.log(`\nmicroseconds a call, median of ${repeat}\n${table(rows, [1])}`);
console.log(met ? "\nall targets met" : `\nNOT all targets met: less than ${TARGET_US} µs a call`);

function once(name: string, [program = "", ...args]: readonly string[]): { value: number; seconds: number } {
  try {
    const printed = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return JSON.parse(printed.trim().split("\n").at(-1) ?? "");
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    throw new Error(`${name} failed: ${stderr.trim().split("\n").at(-1)}`);
  }
}
