import assert from "node:assert/strict";
import { test } from "node:test";
import { TransientError } from "../src/errors.ts";
import { backoffDelay, LONGEST_ASKED_MS, retry, retryDelay } from "../src/retry.ts";
import { isTransient } from "../src/transient-errors.ts";
import { fc } from "./random.ts";

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

test("equal jitter waits at least half of the bound", () => {
  assert.equal(
    backoffDelay(3, { baseMs: 100, capMs: 1_000, jitter: "equal" }, () => 0),
    200,
  );
  assert.equal(
    backoffDelay(3, { baseMs: 100, capMs: 1_000, jitter: "equal" }, () => 0.999999),
    399,
  );
});

/** Fails so many times before it succeeds. */
function failing(times: number, error: unknown = new TransientError("later")): () => Promise<number> {
  let called = 0;
  return async () => {
    if (called++ < times) throw error;
    return called;
  };
}

const quick = { isTransient, baseMs: 0, capMs: 1 };

test("what may pass is tried again until it succeeds", async () => {
  const heard: number[] = [];
  const done = await retry(failing(3), { ...quick, onRetry: (_, failures) => heard.push(failures) });
  assert.equal(done, 4);
  assert.deepEqual(heard, [1, 2, 3]);
});

test("what trying again does not help is thrown at once", async () => {
  const error = new Error("wrong");
  await assert.rejects(retry(failing(1, error), quick), error);
});

test("the latest error is thrown when the attempts or the time are used up", async () => {
  await assert.rejects(retry(failing(3), { ...quick, attempts: 3 }), { message: "later" });
  assert.equal(await retry(failing(2), { ...quick, attempts: 3 }), 3);
  await assert.rejects(retry(failing(1), { ...quick, deadlineMs: 0 }), { message: "later" });
});

test("a signal ends the wait with its own reason", async () => {
  const stop = new AbortController();
  const trying = retry(failing(1), {
    ...quick,
    askedMs: () => 600_000,
    signal: stop.signal,
    onRetry: () => queueMicrotask(() => stop.abort(new Error("enough"))),
  });
  await assert.rejects(trying, { message: "enough" });
});

test("the wait is what the other side asked for, up to a bound, and the backoff on top", () => {
  const asked = { askedMs: () => 60_000, baseMs: 100, capMs: 1_000 };
  const delay = (more: object) => retryDelay(new Error("busy"), 2, { ...asked, ...more }, () => 0.5);
  assert.deepEqual(
    [{}, { longestAskedMs: 1_000 }, { askedMs: () => null }, { jitter: "none" }].map(delay),
    [60_100, 1_100, 100, 60_200],
  );
  assert.equal(retryDelay({ retryAfter: 3600 }, 1, { baseMs: 0 }), LONGEST_ASKED_MS);
});

test("a wait that the other side asked for is waited for", async () => {
  const asked = { ...quick, askedMs: () => 600_000 };
  assert.equal(await retry(failing(1), { ...asked, longestAskedMs: 1 }), 2);
  const stop = new AbortController();
  const trying = retry(failing(1), { ...asked, signal: stop.signal });
  const first = await Promise.race([trying, new Promise((resolve) => setTimeout(resolve, 20, "waits"))]);
  assert.equal(first, "waits");
  stop.abort(new Error("enough"));
  await assert.rejects(trying, { message: "enough" });
});

test("patience ends so long after the first failure in a row", async () => {
  const began = performance.now();
  await assert.rejects(retry(failing(10_000), { ...quick, patienceMs: 30 }), { message: "later" });
  assert.ok(performance.now() - began >= 30);
});

test("patience begins again when others succeed", async () => {
  const policy = { ...quick, waitMs: () => 5, patienceMs: 1 };
  await assert.rejects(retry(failing(20), policy), { message: "later" });
  assert.equal(await retry(failing(20), { ...policy, othersSucceededAt: () => performance.now() }), 21);
});

test("failures before progress do not count", async () => {
  let attempts = 0;
  const attempt = async () => {
    if (++attempts < 7) throw new TransientError("later");
    return attempts;
  };
  const heard: number[] = [];
  const done = await retry(attempt, {
    ...quick,
    attempts: 4,
    progress: () => Math.floor(attempts / 3),
    onRetry: (_, failures) => heard.push(failures),
  });
  assert.equal(done, 7);
  assert.deepEqual(heard, [1, 2, 1, 2, 3, 1]);
});
