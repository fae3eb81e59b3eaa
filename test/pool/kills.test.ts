import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { Pool, WorkerDiedError } from "../../src/pool/index.ts";
import { deadly } from "./fixtures/tasks.ts";

/** `PAWL_RUNS=1000` for the long version. */
const RUNS = Number(process.env.PAWL_RUNS ?? 20);
const seed = Number(process.env.PAWL_SEED ?? randomInt(1_000_000_000));

for (const isolate of ["thread", "process"] as const) {
  const ends = isolate === "thread" ? (["exit"] as const) : (["exit", "abort"] as const);
  test(`whatever workers die of, each item has its result or its named error (${isolate}, seed ${seed})`, async () => {
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
          const found = settled.map((one) => {
            if (one.status === "fulfilled") return one.value;
            assert.ok(one.reason instanceof WorkerDiedError, String(one.reason));
            return (one.reason as WorkerDiedError & { index: number }).index;
          });
          assert.deepEqual(
            found,
            items.map(({ n }) => n),
          );
          const died = settled.map((one) => one.status === "rejected");
          assert.deepEqual(
            died,
            hows.map((how) => how !== null),
          );
        },
      ),
      { numRuns: isolate === "thread" ? RUNS : Math.ceil(RUNS / 4), seed, endOnFailure: true },
    );
  });
}
