import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { runBesideWorkers } from "../../../src/pool/calls/caller-loop.ts";
import { Cost } from "../../../src/pool/calls/cost.ts";
import { MapWork } from "../../../src/pool/calls/map.ts";
import { sharedClock } from "../../../src/pool/calls/shared-clock.ts";
import { ItemQueue } from "../../../src/pool/calls/work-queue.ts";
import { Pool } from "../../../src/pool/index.ts";
import { all } from "../all.ts";
import { add } from "../fixtures/tasks.ts";

/** What the functions below find in this thread and in no other: an inline function has nothing else from outside. */
interface Seen {
  /** Turns of the event loop. */
  turns: number;
  /** In which turn each dear item began here. */
  readonly dear: number[];
}

const here = globalThis as unknown as { pawlSeen: Seen | undefined };

/** Runs the body while turns of the loop are counted. */
async function watched<T>(body: (seen: Seen) => Promise<T>): Promise<T> {
  const seen: Seen = { turns: 0, dear: [] };
  here.pawlSeen = seen;
  let immediate = setImmediate(function turn() {
    seen.turns++;
    immediate = setImmediate(turn);
  });
  try {
    return await body(seen);
  } finally {
    clearImmediate(immediate);
    here.pawlSeen = undefined;
  }
}

const plain = (ms: number) => {
  const { pawlSeen } = globalThis as unknown as { pawlSeen?: { turns: number; dear: number[] } };
  if (ms > 0) pawlSeen?.dear.push(pawlSeen.turns);
  const until = performance.now() + ms;
  while (performance.now() < until);
  return ms;
};
const asynchronous = async (ms: number) => {
  const { pawlSeen } = globalThis as unknown as { pawlSeen?: { turns: number; dear: number[] } };
  await null;
  if (ms > 0) pawlSeen?.dear.push(pawlSeen.turns);
  const until = performance.now() + ms;
  while (performance.now() < until);
  return ms;
};

const CHEAP = 33_000;
const items = [...new Array(CHEAP).fill(0), ...new Array(60).fill(12)] as number[];

type Run = (pool: Pool, options: { signal: AbortSignal }) => Promise<unknown[]>;
const runs: Readonly<Record<string, Run>> = {
  map: (pool, options) => pool.map(plain, items, options),
  "map of an async function": (pool, options) => pool.map(asynchronous, items, options),
  "map that collects errors": (pool, options) => pool.map(plain, items, { ...options, errors: "collect" }),
  starmap: (pool, options) =>
    pool.starmap(
      plain,
      items.map((ms) => [ms] as [number]),
      options,
    ),
  imap: (pool, options) => all(pool.imap(plain, items, options)),
};

describe("with the system asked for the time after each item", () => {
  beforeEach(() => {
    mock.method(sharedClock, "use", () => null);
  });
  afterEach(() => mock.restoreAll());

  for (const [name, run] of Object.entries(runs)) {
    test(`after thousands of cheap items the loop turns after each dear one, and most go to workers (${name})`, async () => {
      await watched(async ({ dear }) => {
        await using pool = new Pool({ workers: 2 });
        await pool.apply(add, 1, 2);
        const results = await run(pool, { signal: new AbortController().signal });
        assert.equal(results.length, items.length);
        assert.deepEqual(dear, [...new Set(dear)], "no two in one turn");
        assert.ok(dear.length <= 10, `${dear.length} of 60 dear items ran here`);
      });
    });

    test(`an abort is heard after the dear item that runs (${name})`, async () => {
      await watched(async (seen) => {
        await using pool = new Pool({ workers: 1 });
        const controller = new AbortController();
        const reason = new Error("enough");
        const timer = setInterval(() => {
          if (seen.dear.length > 0) controller.abort(reason);
        }, 1);
        try {
          await assert.rejects(run(pool, { signal: controller.signal }), reason);
        } finally {
          clearInterval(timer);
        }
        const turns = seen.turns;
        while (seen.turns < turns + 20) await new Promise(setImmediate);
        assert.ok(seen.dear.length <= 4, `${seen.dear.length} dear items ran`);
      });
    });
  }
});

test("with the time read from memory the loop turns after each dear item as well, and the signal is heard", async () => {
  for (let isUp = false; !isUp; ) {
    await using pool = new Pool();
    await pool.map(plain, new Array(60_000).fill(0) as number[]);
    using clock = sharedClock.use();
    isUp = clock !== null;
  }
  // A thread that gets no processor for long writes nothing for long: of several tries it keeps up in one.
  for (let left = 20; ; left--) {
    const ran = await watched(async (seen) => {
      // Another one knows nothing yet of what the function costs.
      await using pool = new Pool();
      const controller = new AbortController();
      const running = pool.map(plain, items, { signal: controller.signal });
      while (seen.dear.length === 0) await new Promise(setImmediate);
      controller.abort(new Error("enough"));
      await assert.rejects(running, /enough/);
      return seen.dear;
    });
    if (ran.length === 1) break;
    assert.ok(left > 0, `${ran.length} dear items ran before the loop had a turn`);
  }
});

test("a thread that helps while workers start gives back what takes longer than expected", async () => {
  await watched(async ({ dear }) => {
    const cost = new Cost();
    cost.observe(1000, 0.1);
    const work = new MapWork(
      {
        number: 0,
        reference: { kind: "inline", source: "x => x" },
        name: "",
        spread: false,
        limit: null,
        crashRetries: 0,
        chunkSize: null,
        cost,
      },
      ItemQueue.of(new Array(20).fill(6)),
      false,
    );
    const controller = new AbortController();
    await runBesideWorkers({ fn: plain, work, signal: controller.signal, enough: () => dear.length >= 4 });
    assert.deepEqual(dear, [...new Set(dear)], "no two in one turn");
    assert.equal(work.left, 20 - dear.length);
    const before = dear.length;
    work.fail(new Error("enough"));
    await runBesideWorkers({ fn: plain, work, signal: controller.signal, enough: () => false });
    assert.equal(dear.length, before);
  });
});
