import assert from "node:assert/strict";
import { test } from "node:test";
import { retryDelay } from "../../../src/pool/each/run.ts";
import { retryAfterOfError } from "../../../src/retry-after.ts";
import { fc } from "../../random.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const DATE = "Sun, 01 Mar 2026 12:00:30 GMT";

test("a hint is found where clients put it", () => {
  const cases: readonly (readonly [unknown, number | null])[] = [
    [{ retryAfter: 2 }, 2000],
    [{ retryAfter: "2" }, 2000],
    [{ retryAfter: new Date(NOW + 5000) }, 5000],
    [{ headers: new Headers({ "Retry-After": "7" }) }, 7000],
    [{ headers: { "retry-after": "0.5" } }, 500],
    [{ response: { headers: new Headers({ "retry-after": DATE }) } }, 30_000],
    [{ response: new Response(null, { status: 429, headers: { "retry-after": "3" } }) }, 3000],
    [{ retryAfter: new Date(NOW - 5000) }, 0],
    [{ retryAfter: "soon" }, null],
    [{ retryAfter: "-1" }, null],
    [{ retryAfter: -1 }, null],
    [{ retryAfter: Number.NaN }, null],
    [{ retryAfter: new Date(Number.NaN) }, null],
    [{ headers: null, response: "gone" }, null],
    [new Error("no hint"), null],
    [null, null],
    ["text", null],
  ];
  for (const [error, ms] of cases) assert.equal(retryAfterOfError(error, NOW), ms, JSON.stringify(error));
});

test("the wait lies between nothing and a doubling bound below the cap", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 0, max: 120_000 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (failures, baseMs, capMs, random) => {
        const options = { times: Number.POSITIVE_INFINITY, baseMs, capMs };
        const delay = retryDelay(new Error("x"), failures, options, () => random);
        assert.equal(delay, Math.floor(random * Math.min(capMs, baseMs * 2 ** (Math.min(failures, 31) - 1))));
      },
    ),
  );
});

test("a hint is kept, with the jitter on top; one beyond a quarter of an hour means no", () => {
  const options = { times: 1, baseMs: 100, capMs: 100 };
  assert.equal(
    retryDelay({ retryAfter: 60 }, 1, options, () => 0.5),
    60_050,
  );
  assert.equal(retryDelay({ retryAfter: 901 }, 1, options), null);
});

test("there are no more attempts than allowed, and none at errors that are not worth it", () => {
  assert.equal(retryDelay(new Error("x"), 1, { times: 0 }), null);
  assert.notEqual(retryDelay(new Error("x"), 2, { times: 2 }), null);
  assert.equal(retryDelay(new Error("x"), 3, { times: 2 }), null);
  const retryOn = (error: unknown) => (error as { status?: number }).status === 503;
  assert.equal(retryDelay({ status: 404 }, 1, { times: 5, retryOn }), null);
  assert.notEqual(retryDelay({ status: 503 }, 1, { times: 5, retryOn }), null);
});
