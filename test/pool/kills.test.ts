import assert from "node:assert/strict";
import { test } from "node:test";
import { type Isolation, Pool, WorkerDiedError } from "../../src/pool/index.ts";
import { fc, seed } from "../random.ts";
import { deadly } from "./fixtures/tasks.ts";
import { mortal } from "./fixtures/trouble.ts";

/** `PAWL_RUNS=1000` for the long version. */
const RUNS = process.env.PAWL_RUNS === undefined ? null : Number(process.env.PAWL_RUNS);
const runs = (isolate: Isolation) => ({
  numRuns: RUNS ?? (isolate === "thread" ? 6 : 2),
  endOnFailure: true,
});
const timeout = RUNS === null ? {} : { timeout: 3_600_000 };

/** Whose death an error tells of. */
function indexOf(reason: unknown): number {
  assert.ok(reason instanceof WorkerDiedError, String(reason));
  return (reason as WorkerDiedError & { index: number }).index;
}

for (const isolate of ["thread", "process"] as const) {
  const ends = isolate === "thread" ? (["exit"] as const) : (["exit", "abort"] as const);
  test(
    `whatever workers die of, each item has its result or its named error (${isolate}, seed ${seed})`,
    timeout,
    async () => {
      const item = fc.oneof(
        { arbitrary: fc.constant(null), weight: 12 },
        { arbitrary: fc.constantFrom(...ends), weight: 1 },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(item, { maxLength: 30 }),
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 0, max: 1 }),
          async (hows, workers, chunkSize, crashRetries) => {
            await using pool = new Pool({ workers, isolate });
            const items = hows.map((how, n) => ({ n, how }));
            const settled = await pool.map(deadly, items, { chunkSize, crashRetries, errors: "collect" });
            assert.deepEqual(
              settled.map((one) => (one.status === "fulfilled" ? one.value : indexOf(one.reason))),
              items.map(({ n }) => n),
            );
            assert.deepEqual(
              settled.map((one) => one.status === "rejected"),
              hows.map((how) => how !== null),
            );
          },
        ),
        runs(isolate),
      );
    },
  );

  test(
    `whenever workers die, each item has its result or its named error (${isolate}, seed ${seed})`,
    timeout,
    async () => {
      const item = fc.record({
        waits: fc.integer({ min: 0, max: 6 }),
        works: fc.integer({ min: 0, max: 3 }),
        dies: fc.oneof(
          { arbitrary: fc.constant(null), weight: 8 },
          { arbitrary: fc.integer({ min: 0, max: 15 }), weight: 1 },
        ),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(item, { maxLength: 40 }),
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 0, max: 2 }),
          // A process is killed from outside too, after so many results.
          fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: isolate === "process" ? 3 : 0 }),
          async (kinds, workers, chunkSize, crashRetries, kills) => {
            await using pool = new Pool({ workers, isolate });
            const items = kinds.map((kind, n) => ({ n, ...kind }));
            const futures = items.map((each) => pool.submitWith({ crashRetries }, mortal, each));
            let done = 0;
            const watched = futures.map(async (future) => {
              const { pid } = await future.result();
              if (kills.includes(++done) && pid !== process.pid) killIfThere(pid);
            });
            const mapped = pool.map(mortal, items, {
              chunkSize,
              crashRetries,
              errors: "collect",
            });
            await Promise.allSettled(watched);
            const settled = await Promise.allSettled(futures.map((future) => future.result()));
            for (const results of [settled, await mapped]) {
              assert.equal(results.length, items.length);
              for (const [n, one] of results.entries()) {
                if (one.status === "fulfilled") assert.equal(one.value.n, n);
                else assert.equal(indexOf(one.reason), n);
              }
            }
          },
        ),
        runs(isolate),
      );
    },
  );
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
