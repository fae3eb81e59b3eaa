import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay } from "../../src/tasks/index.ts";
import { fc } from "../random.ts";

test("the longest delay doubles with each failure up to the cap", () => {
  const longest = [1, 2, 3, 4, 5, 100].map((n) =>
    backoffDelay(n, { baseMs: 100, capMs: 1_000 }, () => 0.999999),
  );
  assert.deepEqual(longest, [99, 199, 399, 799, 999, 999]);
});

test("without jitter the delay is the longest", () => {
  const delays = [1, 2, 3, 9].map((n) => backoffDelay(n, { baseMs: 60_000, capMs: 300_000, jitter: "none" }));
  assert.deepEqual(delays, [60_000, 120_000, 240_000, 300_000]);
});

test("a delay is a whole number of milliseconds between nothing and the cap", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 1e6 }), fc.nat({ max: 1e6 }), (failures, baseMs, capMs) => {
      const delay = backoffDelay(failures, { baseMs, capMs });
      assert.ok(Number.isInteger(delay) && delay >= 0 && delay <= capMs);
    }),
  );
});
