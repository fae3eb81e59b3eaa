import assert from "node:assert/strict";
import { test } from "node:test";
import { atMost, onAverage, type RateClock, RateLimiter } from "../src/rate-limit.ts";
import type { Timer } from "../src/timers.ts";
import { fc } from "./random.ts";

/** Time that goes only when told to. A timer calls back as late, or as early, as `drift` says, but time goes on. */
class TestClock implements RateClock {
  ms = 0;
  #timer: { readonly at: number; readonly callback: () => void } | null = null;
  readonly #drift: () => number;

  constructor(drift: () => number = () => 0) {
    this.#drift = drift;
  }

  now(): number {
    return this.ms;
  }

  after(ms: number, callback: () => void): Timer {
    assert.equal(this.#timer, null, "there is one timer at a time");
    this.#timer = { at: this.ms + Math.max(0.25, ms + this.#drift()), callback };
    return {
      cancel: () => {
        this.#timer = null;
      },
    };
  }

  /** Goes to the next timer; false when there is none. */
  step(): boolean {
    const timer = this.#timer;
    if (timer === null) return false;
    this.#timer = null;
    this.ms = timer.at;
    timer.callback();
    return true;
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function beginnings(perSecond: number, callers: number, clock: TestClock): Promise<number[]> {
  const limiter = new RateLimiter(atMost({ perSecond }), clock);
  const begun: { caller: number; at: number }[] = [];
  for (let caller = 0; caller < callers; caller++) {
    void limiter.turn().then(() => begun.push({ caller, at: clock.ms }));
  }
  do await settled();
  while (clock.step());
  assert.deepEqual(
    begun.map(({ caller }) => caller),
    Array.from({ length: callers }, (_, caller) => caller),
    "who came first begins first",
  );
  return begun.map(({ at }) => at);
}

/** The most beginnings that lie within a second. */
function mostInASecond(at: readonly number[]): number {
  let most = 0;
  for (let first = 0, last = 0; last < at.length; last++) {
    // A millionth for the rounding of sums.
    while ((at[first] as number) <= (at[last] as number) - 1000 + 1e-6) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

test("no second holds more beginnings than the rate, however early or late timers are", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.1, max: 60, noNaN: true })),
      fc.integer({ min: 1, max: 150 }),
      fc.array(fc.integer({ min: -3, max: 700 }), { minLength: 1, maxLength: 20 }),
      async (perSecond, callers, drifts) => {
        let turn = 0;
        const clock = new TestClock(() => drifts[turn++ % drifts.length] as number);
        const at = await beginnings(perSecond, callers, clock);
        assert.ok(mostInASecond(at) <= Math.ceil(perSecond));
      },
    ),
    { numRuns: 150 },
  );
});

test("the rate is reached but for a tenth, and never passed, when timers are exact", async () => {
  for (let perSecond = 1; perSecond <= 300; perSecond += perSecond < 60 ? 1 : 13) {
    const callers = perSecond * 3;
    const at = await beginnings(perSecond, callers, new TestClock());
    assert.ok(mostInASecond(at) <= perSecond, `${mostInASecond(at)} in a second at ${perSecond}/s`);
    const seconds = (at.at(-1) as number) / 1000;
    assert.ok(seconds <= 3 * 1.1, `${callers} at ${perSecond}/s took ${seconds} s`);
  }
});

test("nothing is made up for after a pause", async () => {
  const clock = new TestClock();
  const limiter = new RateLimiter(atMost({ perSecond: 10 }), clock);
  await limiter.turn();
  clock.ms += 60_000;
  let begun = 0;
  for (let n = 0; n < 5; n++) void limiter.turn().then(() => begun++);
  await settled();
  assert.equal(begun, 1);
});

test("who waits when it ends gets the reason, and so does who comes later", async () => {
  const clock = new TestClock();
  const limiter = new RateLimiter(atMost({ perSecond: 1 }), clock);
  await limiter.turn();
  const waiting = limiter.turn();
  const reason = new Error("enough");
  limiter.end(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(limiter.turn(), reason);
  assert.equal(clock.step(), false, "no timer is left behind");
});

test("one that stops waiting gets the reason of its signal, and those behind it their turn", async () => {
  const clock = new TestClock();
  const limiter = new RateLimiter(atMost({ perSecond: 1 }), clock);
  await limiter.turn();
  const stop = new AbortController();
  const first = limiter.turn(1, stop.signal);
  const second = limiter.turn();
  stop.abort(new Error("no longer wanted"));
  await assert.rejects(first, { message: "no longer wanted" });
  await assert.rejects(limiter.turn(1, stop.signal), { message: "no longer wanted" });
  clock.step();
  await second;
  assert.equal(clock.ms, 1000);
});

test("so many bytes a second are let through, in whatever pieces they are asked for", async () => {
  for (const piece of [1, 7, 1000]) {
    const clock = new TestClock();
    const limiter = new RateLimiter(onAverage({ perSecond: 1000 }), clock);
    const turns = Array.from({ length: Math.ceil(5_000 / piece) }, () => limiter.turn(piece));
    do await settled();
    while (clock.step());
    await Promise.all(turns);
    // What is let through last has its time after it.
    assert.ok(Math.abs(clock.ms + piece - 5_000) <= 200 + piece, `${piece}: ${clock.ms}`);
  }
});

test("next to nothing is saved up in a pause", async () => {
  const clock = new TestClock();
  const limiter = new RateLimiter(onAverage({ perSecond: 100 }), clock);
  await limiter.turn();
  clock.ms += 60_000;
  let free = 0;
  for (let n = 0; n < 100; n++) void limiter.turn().then(() => free++);
  await settled();
  assert.ok(free <= 12, String(free));
});
