import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { each, Pool } from "../../../src/pool/index.ts";
import { all } from "../all.ts";

/** An endless source that tells what became of it. */
class Endless implements AsyncIterable<number> {
  given = 0;
  closed = 0;
  readonly #stuckAt: number;
  readonly #close: () => Promise<IteratorResult<number>>;

  constructor({
    stuckAt = Number.POSITIVE_INFINITY,
    close = async (): Promise<IteratorResult<number>> => ({ done: true, value: undefined }),
  } = {}) {
    this.#stuckAt = stuckAt;
    this.#close = close;
  }

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: async () => {
        if (this.given >= this.#stuckAt) return await new Promise<never>(() => {});
        await turn();
        return { done: false, value: this.given++ };
      },
      return: () => {
        this.closed++;
        return this.#close();
      },
    };
  }

  async gave(count: number): Promise<void> {
    while (this.given < count) await turn();
  }
}

const same = (x: number) => x;
const refusing = (x: number) => {
  if (x === 5) throw new RangeError("five");
  return x;
};

async function drain(results: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of results);
}

type Options = { readonly signal?: AbortSignal };
const faces: Readonly<
  Record<string, (pool: Pool, items: AsyncIterable<number>, options: Options) => Promise<unknown>>
> = {
  map: (pool, items, options) => pool.map(same, items, options),
  imap: (pool, items, options) => drain(pool.imap(same, items, options)),
  "imap in workers": (pool, items, options) => drain(pool.imap(same, items, { ...options, chunkSize: 3 })),
  imapUnordered: (pool, items, options) =>
    drain(pool.imapUnordered(same, items, { ...options, chunkSize: 3 })),
  each: (_, items, options) => drain(each(items, same, options)),
};

for (const [name, run] of Object.entries(faces)) {
  suite(`an endless source (${name})`, () => {
    for (const [how, stuckAt] of [
      ["gives", Number.POSITIVE_INFINITY],
      ["thinks", 20],
    ] as const) {
      test(`is closed when the call is aborted while it ${how}`, async () => {
        await using pool = new Pool({ workers: 1 });
        const source = new Endless({ stuckAt });
        const controller = new AbortController();
        const call = run(pool, source, { signal: controller.signal });
        await source.gave(10);
        controller.abort(new Error("enough"));
        await assert.rejects(call, { message: "enough" });
        assert.equal(source.closed, 1);
        const { given } = source;
        for (let turns = 0; turns < 20; turns++) await turn();
        assert.ok(source.given <= given + 1, "no more is read");
      });
    }

    test("that never closes does not hold up an abort for ever, nor does one that throws as it closes", async () => {
      await using pool = new Pool({ workers: 1 });
      for (const close of [
        () => new Promise<never>(() => {}),
        () => Promise.reject(new Error("stays open")),
      ]) {
        const source = new Endless({ close });
        const controller = new AbortController();
        const call = run(pool, source, { signal: controller.signal });
        await source.gave(10);
        controller.abort(new Error("enough"));
        await assert.rejects(call, { message: "enough" });
      }
    });

    if (name !== "each") {
      test("is closed when the pool is terminated", async () => {
        const pool = new Pool({ workers: 1 });
        const source = new Endless();
        const call = run(pool, source, {});
        const ended = assert.rejects(call, { code: "pool.terminated" });
        await source.gave(10);
        await pool.terminate();
        await ended;
        assert.equal(source.closed, 1);
      });
    }
  });
}

type Stream = (pool: Pool, items: AsyncIterable<number>, options: Options) => AsyncIterable<unknown>;
const streams: Readonly<Record<string, Stream>> = {
  imap: (pool, items, options) => pool.imap(same, items, options),
  "imap in workers": (pool, items, options) => pool.imap(same, items, { ...options, chunkSize: 3 }),
  imapUnordered: (pool, items, options) => pool.imapUnordered(same, items, { ...options, chunkSize: 3 }),
  each: (_, items, options) => each(items, same, options),
};

for (const [name, stream] of Object.entries(streams))
  test(`a source is closed although no further result is asked for (${name})`, async () => {
    for (const how of name === "each" ? ["abort"] : ["abort", "terminate"]) {
      const pool = new Pool({ workers: 1 });
      const source = new Endless();
      const controller = new AbortController();
      const results = stream(pool, source, { signal: controller.signal })[Symbol.asyncIterator]();
      await results.next();
      const error = new Error("enough");
      if (how === "abort") controller.abort(error);
      const terminated = how === "terminate" ? pool.terminate() : undefined;
      for (let turns = 0; turns < 1_000 && source.closed === 0; turns++) await turn();
      assert.equal(source.closed, 1, how);
      await assert.rejects(
        async () => {
          while (!(await results.next()).done);
        },
        how === "abort" ? error : { code: "pool.terminated" },
      );
      await terminated;
      await pool.terminate();
      assert.equal(source.closed, 1, how);
    }
  });

test("an endless source that never waits lets the loop turn", async () => {
  await using pool = new Pool({ workers: 1 });
  let closed = false;
  function* endless() {
    try {
      for (let n = 0; ; n = (n + 1) % 10) yield n;
    } finally {
      closed = true;
    }
  }
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await assert.rejects(pool.map(same, endless(), { signal: controller.signal }), { message: "enough" });
  assert.ok(closed);
});

test("the error of an item is told, whatever the source throws as it closes, and where nothing else is, that is", async () => {
  await using pool = new Pool({ workers: 1 });
  const close = () => Promise.reject(new Error("stays open"));
  for (const options of [{}, { chunkSize: 2 }]) {
    await assert.rejects(drain(pool.imap(refusing, new Endless({ close }), options)), { message: "five" });
    // What is asked for an item when it is left is not waited for; this one has each at once.
    const ready = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: 1 }),
        return() {
          throw new Error("stays open");
        },
      }),
    };
    await assert.rejects(
      async () => {
        for await (const _ of pool.imap(same, ready, options)) break;
      },
      { message: "stays open" },
    );
  }
});

test("a source may be any iterable, such as a text, and nothing else", async () => {
  await using pool = new Pool({ workers: 1 });
  const twice = (text: string) => text + text;
  assert.deepEqual(await pool.map(twice, "a😀"), ["aa", "😀😀"]);
  assert.deepEqual(await all(pool.imap(twice, "a😀")), ["aa", "😀😀"]);
  for (const none of [5, null, undefined, {}, { length: 1, 0: "a" }, { [Symbol.iterator]: null }]) {
    const items = none as unknown as string[];
    await assert.rejects(pool.map(twice, items), { code: "pool.option" });
    await assert.rejects(all(pool.imap(twice, items)), { code: "pool.option" });
    await assert.rejects(pool.starmap(twice, items as unknown as [string][]), { code: "pool.option" });
  }
});

for (const [where, options] of [
  ["here", {}],
  ["in workers", { chunkSize: 3 }],
] as const) {
  test(`an array is taken when map and starmap are called, whatever becomes of it later (${where})`, async () => {
    await using pool = new Pool({ workers: 2 });
    const items = Array.from({ length: 50 }, (_, n) => n);
    const pairs = items.map((n) => [n, n] as [number, number]);
    const mapped = pool.map(async (n: number) => 2 * n, items, options);
    const summed = pool.starmap(async (a: number, b: number) => a + b, pairs, options);
    const expected = items.map((n) => 2 * n);
    items.fill(-1).push(-1);
    pairs.reverse().length = 7;
    assert.deepEqual([await mapped, await summed], [expected, expected]);
  });
}

test("a function sees each item that was given, whatever it does to the array itself", async () => {
  await using pool = new Pool({ workers: 1 });
  const here = globalThis as unknown as { pawlQueue: number[] | undefined };
  const given = Array.from({ length: 20_000 }, (_, n) => n);
  here.pawlQueue = [...given];
  try {
    const takeLast = (n: number) => {
      (globalThis as unknown as { pawlQueue?: number[] }).pawlQueue?.pop();
      return n;
    };
    assert.deepEqual(await pool.map(takeLast, here.pawlQueue), given);
    assert.equal(here.pawlQueue.length, 0);
  } finally {
    here.pawlQueue = undefined;
  }
});

test("a long array and a long source reach workers whole and in order", async () => {
  await using pool = new Pool({ workers: 2 });
  const items = Array.from({ length: 30_000 }, (_, n) => n);
  const expected = items.map((n) => 2 * n);
  const double = (n: number) => 2 * n;
  // Chunks of which some lie in more than one block of what was taken.
  assert.deepEqual(await pool.map(double, items, { chunkSize: 5000 }), expected);
  assert.deepEqual(await pool.map(double, new Set(items), { chunkSize: 5000 }), expected);
});
