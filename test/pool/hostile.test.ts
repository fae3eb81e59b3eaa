import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "../../src/pool/index.ts";
import { clean, double, spoil, spoils } from "./fixtures/hostile.ts";
import { DEAFENING, holdsUpNothing } from "./spoiling.ts";

/** Of the acts, one or two of each kind; all of them have their turn in `hostile.long.ts`. */
const IN_THREADS = [
  "removes the listeners of its line",
  "removes the listeners for messages",
  "stops listening",
  "reads its line dry",
  "takes apart what it was started with",
  "replaces what sends",
  "replaces process.exit",
  "replaces performance.now",
  "replaces setImmediate",
  "replaces what Atomics do",
  "replaces Promise.prototype.then",
  "replaces Promise",
  "replaces Map.prototype.get",
  "replaces Array.prototype.push",
  "replaces Object.keys",
  "replaces structuredClone",
  "lets all objects inherit type (number)",
  "lets all objects inherit then (function)",
  "lets all objects inherit errors (function)",
  "lets all objects inherit value (number)",
  "lets all objects inherit handles (function)",
  "lets all objects inherit get",
  "lets all objects inherit index 0",
];

/** A process costs ten threads, so it is asked only of what is different there. */
const IN_PROCESSES = [
  "removes the listeners of its line",
  "removes the listeners for messages",
  "replaces what sends",
  "replaces process.exit",
  "replaces Array.prototype.push",
  "replaces Array.isArray",
  "lets all objects inherit then (function)",
];

holdsUpNothing("thread", IN_THREADS);
holdsUpNothing("process", IN_PROCESSES);

test("the acts that are tried are acts that there are", () => {
  for (const act of [...IN_THREADS, ...IN_PROCESSES]) assert.ok(spoils.includes(act), act);
});

async function whileTimePasses<T>(result: Promise<T>): Promise<T> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  result.then(end, end);
  while (!isOver) {
    await sleep(50);
    mock.timers.tick(5_000);
  }
  return await result;
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
        // On a slow machine the worker is deaf before it has sent this result.
        await whileTimePasses(pool.apply(spoil, act, false)).catch(() => {});
        const result = await whileTimePasses(pool.submit(next as typeof clean, 3).result());
        assert.deepEqual(result, next === clean ? { n: [3] } : 6);
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
