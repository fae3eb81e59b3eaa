import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";

/**
 * `npm run test:long -- --seconds 900 --seed 7 --only load,kills`: chaos, kills, properties and the files `*.long.ts`, one after the other,
 * of one seed. The seconds are shared among them; each ends what it has begun.
 */
const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "900" },
    seed: { type: "string", default: String(randomInt(1_000_000_000)) },
    only: { type: "string" },
  },
});
const { seed } = values;
const chaos = ["test/chaos/main.ts", "--seed", seed];
const share = (count: number): string => String(Math.max(1, Math.round(Number(values.seconds) / count)));
const parts = new Map<string, (seconds: string) => readonly string[]>([
  ["load", (seconds) => [...chaos, "--work", "load", "--seconds", seconds]],
  ["backfill", (seconds) => [...chaos, "--work", "backfill", "--seconds", seconds]],
  ["tasks-sqlite", (seconds) => [...chaos, "--work", "tasks", "--store", "sqlite", "--seconds", seconds]],
  ["tasks-postgres", (seconds) => [...chaos, "--work", "tasks", "--store", "postgres", "--seconds", seconds]],
  ["frames", (seconds) => [...chaos, "--work", "frames", "--seconds", seconds]],
  ["copy", (seconds) => ["test/chaos/copy/main.ts", "--seed", seed, "--seconds", seconds]],
  ["kills", () => ["test/pool/kills-many.ts"]],
  ["properties", () => ["scripts/test.ts", "properties"]],
  ["files", () => ["scripts/test.ts", "long"]],
]);
const names = values.only?.split(",") ?? [...parts.keys()];
const strange = names.filter((name) => !parts.has(name));
if (strange.length > 0)
  throw new Error(`there is no ${strange.join(", ")}: name some of ${[...parts.keys()].join(", ")}`);

console.log(`seed ${seed}, ${values.seconds} seconds`);
const failed: string[] = [];
let interrupted = false;
// It reaches the part under way too, which ends its servers.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (interrupted = true));
for (const name of names) {
  if (interrupted) break;
  console.log(`\n--- ${name}`);
  const seconds = share(names.length);
  const part = spawn(process.execPath, [...(parts.get(name)?.(seconds) ?? [])], {
    cwd: root,
    stdio: "inherit",
    // The long version of kills, and for files that have a seed or a time of their own.
    env: {
      PAWL_RUNS: "200",
      PAWL_POOLS: "100",
      PAWL_MANY: "10",
      ...process.env,
      PAWL_SEED: seed,
      PAWL_SECONDS: seconds,
    },
  });
  const [code] = await once(part, "exit");
  if (code !== 0) failed.push(name);
}
console.log(
  `\nseed ${seed}: ${failed.length === 0 ? `${names.join(", ")} passed` : `${failed.join(", ")} failed`}`,
);
process.exitCode = interrupted ? 130 : failed.length > 0 ? 1 : 0;
