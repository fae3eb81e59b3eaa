import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AdaptiveConcurrency } from "../../../src/batch/job/adaptive-concurrency.ts";
import { JobLimits } from "../../../src/batch/job/work-limits.ts";

/** A target that does `capacity` things at once, each in `ms`; more at once only wait longer. */
function drive(
  concurrency: AdaptiveConcurrency,
  clock: { now: number },
  windows: number,
  capacity: () => number,
  ms = 20,
): void {
  for (let at = 0; at < windows; at++) {
    const perMs = Math.min(concurrency.value, capacity()) / ms;
    for (const end = clock.now + 500; clock.now < end; ) {
      clock.now += 10;
      for (let done = perMs * 10; done > 0; done--) concurrency.done(Math.min(1, done));
    }
  }
}

describe("the number of things done at once", () => {
  it("rises until more at once gets nothing more done, and stays thereabouts", () => {
    for (const capacity of [4, 20, 100]) {
      const clock = { now: 0 };
      const concurrency = new AdaptiveConcurrency(() => clock.now);
      drive(concurrency, clock, 60, () => capacity);
      const seen: number[] = [];
      for (let at = 0; at < 30; at++) {
        drive(concurrency, clock, 1, () => capacity);
        seen.push(concurrency.value);
      }
      assert.ok(Math.min(...seen) >= Math.min(capacity, 8), `${capacity}: ${seen}`);
      assert.ok(Math.max(...seen) <= Math.max(16, capacity * 2), `${capacity}: ${seen}`);
    }
  });

  it("is halved by a complaint, once for all that was under way, and rises again", () => {
    const clock = { now: 0 };
    const concurrency = new AdaptiveConcurrency(() => clock.now);
    drive(concurrency, clock, 20, () => 64);
    const before = concurrency.value;
    const beganAt = clock.now - 5;
    for (let complaint = 0; complaint < 10; complaint++) concurrency.overloaded(beganAt);
    assert.equal(concurrency.value, Math.floor(before / 2));
    clock.now += 10;
    concurrency.overloaded(clock.now - 1);
    assert.equal(concurrency.value, Math.floor(Math.floor(before / 2) / 2));
    const low = concurrency.value;
    drive(concurrency, clock, 40, () => 64);
    assert.ok(concurrency.value > low);
  });

  it("never falls below one", () => {
    const clock = { now: 0 };
    const concurrency = new AdaptiveConcurrency(() => clock.now);
    for (let complaint = 0; complaint < 20; complaint++) {
      clock.now += 10;
      concurrency.overloaded(clock.now);
      clock.now += 10;
    }
    assert.equal(concurrency.value, 1);
  });

  it("learns nothing while fewer are under way than it allows", () => {
    const clock = { now: 0 };
    const concurrency = new AdaptiveConcurrency(() => clock.now);
    const before = concurrency.value;
    for (let at = 0; at < 1000; at++) {
      clock.now += 5;
      concurrency.done();
      concurrency.idle();
    }
    assert.equal(concurrency.value, before);
  });
});

describe("the limits of a job", () => {
  it("run as many at once as they are told, first come first served", async () => {
    const limits = new JobLimits({ concurrency: 3 });
    let running = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        limits.run(async () => {
          order.push(at);
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
        }),
      ),
    );
    assert.equal(most, 3);
    assert.deepEqual(
      order,
      Array.from({ length: 50 }, (_, at) => at),
    );
  });

  it("give a place back that failed, and stop waiting when told to", async () => {
    const limits = new JobLimits({ concurrency: 1 });
    await assert.rejects(
      limits.run(async () => Promise.reject(new Error("no"))),
      /no/,
    );
    const stop = new AbortController();
    const first = limits.run(async () => {
      stop.abort();
    });
    const second = limits.run(async () => assert.fail("was stopped"), stop.signal);
    await first;
    await assert.rejects(second, { name: "AbortError" });
    assert.equal(await limits.run(async () => 5), 5);
  });

  it("refuse what is not a number", () => {
    assert.throws(() => new JobLimits({ concurrency: 0 }), { code: "job.concurrency" });
    assert.throws(() => new JobLimits({ rate: 0 }), { code: "job.rate" });
    assert.throws(() => new JobLimits({ bandwidth: 0 }), { code: "job.rate" });
  });
});
