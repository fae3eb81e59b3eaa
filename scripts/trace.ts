/**
 * Which source files run for one chunk of a load, one task or one map: what a reader has to open to follow it.
 * `node scripts/trace.ts [chunk|load|task|map]` prints them floor by floor.
 *
 * V8 counts the calls of functions in many short windows, each with one piece of the work. A file is on the path when a
 * function of it runs in every window. What runs in some of them only, such as the polling of a run, is beside the path.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PATHS = ["chunk", "load", "task", "map"] as const;
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(PATHS as readonly string[]).includes(name));
if (unknown !== undefined) {
  console.error(`There is no path "${unknown}": choose from ${PATHS.join(", ")}.`);
  process.exit(2);
}

const coverage = new URL("./trace/coverage.ts", import.meta.url).href;
for (const name of asked.length > 0 ? asked : PATHS) {
  const program = fileURLToPath(new URL(`./trace/${name === "load" ? "chunk" : name}.ts`, import.meta.url));
  const traced = spawn(process.execPath, ["--import", coverage, program, name], { stdio: "inherit" });
  const [code] = await once(traced, "close");
  if (code !== 0) process.exitCode = 1;
}
