/** The long version of what can only go wrong by chance: `npm run test:kills`. Runs and seed may come from outside. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const files = ["kills", "leaks"].map((name) => join(import.meta.dirname, `${name}.test.ts`));
const { status } = spawnSync(process.execPath, ["--test", ...files], {
  stdio: "inherit",
  env: { PAWL_RUNS: "1000", PAWL_POOLS: "200", ...process.env },
});
process.exitCode = status ?? 1;
