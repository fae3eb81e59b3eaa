import assert from "node:assert/strict";
import { test } from "node:test";
import { retryAfterMs, retryAfterOfError } from "../src/retry-after.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const DATE = "Sun, 01 Mar 2026 12:00:30 GMT";

test("the time is found where clients put it, in the causes of an error too", () => {
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
    [new Error("busy", { cause: { retryAfter: 4 } }), 4000],
    [new Error("busy", { cause: new Response(null, { headers: { "retry-after": "5" } }) }), 5000],
    [Object.assign(new Error("busy", { cause: { retryAfter: 4 } }), { retryAfter: 1 }), 1000],
    [null, null],
    ["text", null],
  ];
  for (const [error, ms] of cases) assert.equal(retryAfterOfError(error, NOW), ms, JSON.stringify(error));
});

test("an error that cannot be looked at, or is its own cause, says nothing", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const ring = new Error("ring");
  ring.cause = ring;
  assert.deepEqual([retryAfterOfError(proxy), retryAfterOfError(ring)], [null, null]);
});

test("a header asks for a time in seconds or until a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(retryAfterMs("3", now), 3000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:10 GMT", now), 10_000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2020 00:00:10 GMT", now), 0);
  for (const nothing of [undefined, null, "", "soon", "-1"])
    assert.equal(retryAfterMs(nothing, now), null, String(nothing));
});
