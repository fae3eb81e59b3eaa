import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, type PaceClock } from "../../../src/pool/each/pace.ts";
import { fc } from "../../random.ts";

/** Time that goes only when told to. A timer calls back as late, or as early, as `drift` says, but time goes on. */
class TestClock implements PaceClock {
  ms = 0;
  #timer: { readonly at: number; readonly callback: () => void } | null = null;
  readonly #drift: () => number;

  constructor(drift: () => number = () => 0) {
    this.#drift = drift;
  }

  now(): number {
    return this.ms;
  }

  after(ms: number, callback: () => void): () => void {
    assert.equal(this.#timer, null, "there is one timer at a time");
    this.#timer = { at: this.ms + Math.max(0.25, ms + this.#drift()), callback };
    return () => {
      this.#timer = null;
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
  const pace = new Pace({ perSecond }, clock);
  const begun: { caller: number; at: number }[] = [];
  for (let caller = 0; caller < callers; caller++) {
    void pace.turn().then(() => begun.push({ caller, at: clock.ms }));
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
  const pace = new Pace({ perSecond: 10 }, clock);
  await pace.turn();
  clock.ms += 60_000;
  let begun = 0;
  for (let n = 0; n < 5; n++) void pace.turn().then(() => begun++);
  await settled();
  assert.equal(begun, 1);
});

test("who waits when it ends gets the reason, and so does who comes later", async () => {
  const clock = new TestClock();
  const pace = new Pace({ perSecond: 1 }, clock);
  await pace.turn();
  const waiting = pace.turn();
  const reason = new Error("enough");
  pace.end(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(pace.turn(), reason);
  assert.equal(clock.step(), false, "no timer is left behind");
});
