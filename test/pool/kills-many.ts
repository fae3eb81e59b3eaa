/** The long version of what can only go wrong by chance: `npm run test:kills`. Runs and seed may come from outside. */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";

const env = {
  PAWL_RUNS: "1000",
  PAWL_POOLS: "200",
  PAWL_SEED: String(randomInt(1_000_000_000)),
  ...process.env,
};
console.log(`PAWL_SEED=${env.PAWL_SEED} PAWL_RUNS=${env.PAWL_RUNS} PAWL_POOLS=${env.PAWL_POOLS}`);
const files = ["kills", "leaks"].map((name) => join(import.meta.dirname, `${name}.test.ts`));
const { status } = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit", env });
process.exitCode = status ?? 1;
