import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** What can be measured, and the program that does so. */
const benchmarks: Readonly<Record<string, string>> = {
  load: "load/run.ts",
  "load-memory": "load/memory.ts",
  backfill: "backfill/run.ts",
  copy: "copy/run.ts",
  "copy-keys": "copy/keys.ts",
  pool: "pool/run.ts",
  frames: "frames/run.ts",
  bags: "bags/run.ts",
  delayed: "delayed/run.ts",
  tasks: "tasks/run.ts",
};

const [name = "", ...options] = process.argv.slice(2);
const program = benchmarks[name];
if (program === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benchmarks).join(" | ")} [options]`);
  process.exitCode = 2;
} else {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, program), ...options], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}
