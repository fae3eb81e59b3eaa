import assert from "node:assert/strict";
import { test } from "node:test";
import { itemRetryDelay } from "../../../src/pool/each/run.ts";
import { fc } from "../../random.ts";

test("the wait lies between nothing and a doubling bound below the cap", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 0, max: 120_000 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (failures, baseMs, capMs, random) => {
        const options = { times: Number.POSITIVE_INFINITY, baseMs, capMs };
        const delay = itemRetryDelay(new Error("x"), failures, options, () => random);
        assert.equal(delay, Math.floor(random * Math.min(capMs, baseMs * 2 ** (Math.min(failures, 31) - 1))));
      },
    ),
  );
});

test("a hint is kept, with the jitter on top; one beyond a quarter of an hour means no", () => {
  const options = { times: 1, baseMs: 100, capMs: 100 };
  assert.equal(
    itemRetryDelay({ retryAfter: 60 }, 1, options, () => 0.5),
    60_050,
  );
  assert.equal(itemRetryDelay({ retryAfter: 901 }, 1, options), null);
});

test("there are no more attempts than allowed, and none at errors that are not worth it", () => {
  assert.equal(itemRetryDelay(new Error("x"), 1, { times: 0 }), null);
  assert.notEqual(itemRetryDelay(new Error("x"), 2, { times: 2 }), null);
  assert.equal(itemRetryDelay(new Error("x"), 3, { times: 2 }), null);
  const retryOn = (error: unknown) => (error as { status?: number }).status === 503;
  assert.equal(itemRetryDelay({ status: 404 }, 1, { times: 5, retryOn }), null);
  assert.notEqual(itemRetryDelay({ status: 503 }, 1, { times: 5, retryOn }), null);
});
