import assert from "node:assert/strict";
import { mock, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Isolation, Pool, WorkerDiedError } from "../../src/pool/index.ts";
import { clean, double, spoil, spoils } from "./fixtures/hostile.ts";

/** After these a worker hears or finds nothing any more: that it does nothing is all that can be known. */
const DEAFENING = new Set(["replaces Array.prototype.shift", "replaces process.nextTick"]);
/** After these what the function itself returns is lost. */
const LOSING = new Set(["replaces Array.prototype.push"]);

/** A process costs ten threads, so it is asked only of what is different there. */
const IN_PROCESSES = [
  "removes the listeners of its line",
  "removes the listeners for messages",
  "replaces what sends",
  "replaces process.exit",
  "replaces Array.prototype.push",
  "lets all objects inherit then (function)",
];

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`a function that spoils its worker (${isolate})`, { timeout: 120_000 }, () => {
    for (const act of isolate === "thread" ? spoils : IN_PROCESSES) {
      if (DEAFENING.has(act)) continue;
      test(`and ${act} holds up nothing behind it`, async () => {
        await using pool = new Pool({ workers: 1, isolate });
        assert.deepEqual(await pool.apply(clean, 1), { n: [1] });
        const [own] = await Promise.allSettled([pool.apply(spoil, act, false)]);
        if (LOSING.has(act)) {
          assert.equal(own.status, "rejected");
          assert.ok(own.reason instanceof WorkerDiedError);
          assert.match(own.reason.message, /^Item 0 has run, and its worker lost its result: [^\n]+\.$/);
        } else assert.deepEqual(own, { status: "fulfilled", value: { done: act } });
        assert.deepEqual(await pool.apply(clean, 2), { n: [2] });
        // One that this worker has yet to load.
        assert.equal(await pool.apply(double, 4), 8);
      });
    }
  });
}

for (const act of DEAFENING) {
  const isolate = act === "replaces process.nextTick" ? "process" : "thread";
  for (const [what, next] of [
    ["a function that it knows", clean],
    ["a function that it has yet to load", double],
  ] as const) {
    test(`a worker whose function ${act} is replaced once it is given ${what}`, {
      timeout: 60_000,
    }, async () => {
      mock.timers.enable({ apis: ["setInterval"] });
      try {
        await using pool = new Pool({ workers: 1, isolate });
        await pool.apply(clean, 1);
        await pool.apply(spoil, act, false);
        const future = pool.submit(next as typeof clean, 3);
        const result = future.result();
        let over = false;
        void result.finally(() => {
          over = true;
        });
        while (!over) {
          await sleep(50);
          mock.timers.tick(5_000);
        }
        assert.deepEqual(await result, next === clean ? { n: [3] } : 6);
      } finally {
        mock.timers.reset();
      }
    });
  }
}

test("what runs for long is not taken for a worker that does not answer", { timeout: 60_000 }, async () => {
  const real = setImmediate;
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await using pool = new Pool({ workers: 1 });
    const hold = new Int32Array(new SharedArrayBuffer(8));
    const future = pool.submit((flags: Int32Array) => {
      Atomics.store(flags, 0, 1);
      Atomics.wait(flags, 1, 0);
      return "done";
    }, hold);
    while (Atomics.load(hold, 0) === 0) await new Promise((resolve) => real(resolve));
    for (let look = 0; look < 20; look++) mock.timers.tick(5_000);
    Atomics.store(hold, 1, 1);
    Atomics.notify(hold, 1);
    assert.equal(await future.result(), "done");
  } finally {
    mock.timers.reset();
  }
});
