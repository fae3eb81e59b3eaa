import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { longestFirst } from "./test/longest.ts";
import { type Named, namedBy } from "./test/named.ts";
import { rings } from "./test/rings.ts";
import { ServerOfRun } from "./test/server-of-run.ts";

/**
 * Runs a ring of the tests with Node's own runner: `node scripts/test.ts RING [files, folders, flags of node --test]`.
 * The PostgreSQL that its files share is started by the first that asks for it and stopped here, however the run ends.
 */
const [ring = "", ...given] = process.argv.slice(2);
const filesOf = rings.get(ring);
if (filesOf === undefined) throw new Error(`name one of the rings: ${[...rings.keys()].join(", ")}`);
const root = join(import.meta.dirname, "..");
const named = namedOrSaid(given);
const { flags } = named;
const files = named.files ?? filesOf(root);

// Tests wait for their processes, for servers and for leases: with this many at once all cores are at work.
const concurrency = 3 * availableParallelism() + 1;
// Only what hangs for ever comes to it, whatever the load.
const timeout = 1_200_000;

await using server = await ServerOfRun.prepare();
const runner = spawn(
  process.execPath,
  flags.length > 0
    ? ["--test", `--test-concurrency=${concurrency}`, `--test-timeout=${timeout}`, ...flags, ...files]
    : [join(import.meta.dirname, "test/runner.ts"), `${concurrency}`, `${timeout}`, ...longestFirst(files)],
  {
    stdio: "inherit",
    env: {
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile"),
      ...process.env,
      PAWL_TEST_POSTGRES: server.home,
    },
  },
);
// Ctrl-C reaches the runner too, which ends its files; the server is stopped after them.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) runner.kill(signal);
  });
}
const [code, signal] = await once(runner, "exit");
process.exitCode = code ?? (signal === null ? 1 : 130);

function namedOrSaid(words: readonly string[]): Named {
  try {
    return namedBy(words);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}
