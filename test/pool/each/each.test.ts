import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import {
  type EachContext,
  type EachOptions,
  each,
  PawlError,
  TimeLimitError,
} from "../../../src/pool/index.ts";
import { fc, runs } from "../../random.ts";
import { failureOf } from "../failure.ts";
import { numbers } from "../numbers.ts";
import { leavesHeapFlat } from "./flat.ts";

const never = () => new Promise<never>(() => {});

/** Items in each way in which they can be given, with a count of those taken. */
class Given {
  taken = 0;
  closed = 0;
  readonly #kind: "sync" | "async" | "slow";

  constructor(kind: "sync" | "async" | "slow") {
    this.#kind = kind;
  }

  /** One who was just about to give an item is closed after that, and not waited for. */
  async wasClosed(): Promise<void> {
    while (this.closed === 0) await turnOfTheLoop();
    assert.equal(this.closed, 1);
  }

  of(n: number): Iterable<number> | AsyncIterable<number> {
    return this.#kind === "sync" ? this.#sync(n) : this.#async(n);
  }

  *#sync(n: number): Generator<number> {
    try {
      for (let i = 0; i < n; i++) {
        this.taken++;
        yield i;
      }
    } finally {
      this.closed++;
    }
  }

  async *#async(n: number): AsyncGenerator<number> {
    try {
      for (let i = 0; i < n; i++) {
        if (this.#kind === "slow") await turnOfTheLoop();
        this.taken++;
        yield i;
      }
    } finally {
      this.closed++;
    }
  }
}

/** A function that takes as many turns of the loop as its item is told to, and knows how many of it run. */
class Watched {
  running = 0;
  most = 0;
  readonly begun: number[] = [];
  readonly #turns: readonly number[];
  readonly #failing: ReadonlySet<number>;

  constructor(turns: readonly number[], failing: Iterable<number> = []) {
    this.#turns = turns;
    this.#failing = new Set(failing);
  }

  readonly fn = async (item: number): Promise<number> => {
    this.begun.push(item);
    this.most = Math.max(this.most, ++this.running);
    try {
      const turns = this.#turns[item % this.#turns.length] as number;
      for (let turn = 0; turn < turns; turn++) await turnOfTheLoop();
      if (this.#failing.has(item)) throw new RangeError(`no ${item}`);
      return item * 2;
    } finally {
      this.running--;
    }
  };
}

const aKind = fc.constantFrom("sync" as const, "async" as const, "slow" as const);
const aCount = fc.integer({ min: 0, max: 60 });
const aConcurrency = fc.integer({ min: 1, max: 12 });
const someTurns = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 9 });
const someFailing = fc.array(fc.integer({ min: 0, max: 59 }), { maxLength: 8 });

test("awaited, it gives every result in the order of the items, and never runs more at once than it may", async () => {
  await fc.assert(
    fc.asyncProperty(aKind, aCount, aConcurrency, someTurns, async (kind, n, concurrency, turns) => {
      const given = new Given(kind);
      const watched = new Watched(turns);
      const results = await each(given.of(n), watched.fn, { concurrency });
      assert.deepEqual(
        results,
        numbers(n).map((x) => x * 2),
      );
      assert.ok(watched.most <= concurrency);
      assert.equal(given.closed, 1);
    }),
  );
});

test("iterated over, it takes no more items than there is room for, in order or as they come", async () => {
  await fc.assert(
    fc.asyncProperty(
      aKind,
      aCount,
      aConcurrency,
      someTurns,
      fc.boolean(),
      async (kind, n, concurrency, turns, ordered) => {
        const given = new Given(kind);
        const watched = new Watched(turns);
        const results: number[] = [];
        for await (const result of each(given.of(n), watched.fn, { concurrency, ordered })) {
          results.push(result);
          if (result % 3 === 0) await turnOfTheLoop();
          assert.ok(given.taken - results.length <= concurrency, "taken and not given on");
        }
        const inOrder = numbers(n).map((x) => x * 2);
        assert.deepEqual(ordered ? results : results.toSorted((a, b) => a - b), inOrder);
        assert.ok(watched.most <= concurrency);
      },
    ),
  );
});

test("collected, each error stands in its item's place and knows it", async () => {
  await fc.assert(
    fc.asyncProperty(
      aKind,
      aCount,
      aConcurrency,
      someTurns,
      someFailing,
      async (kind, n, concurrency, turns, failing) => {
        const watched = new Watched(turns, failing);
        const settled = await each(new Given(kind).of(n), watched.fn, { concurrency, errors: "collect" });
        assert.equal(settled.length, n);
        for (const [index, one] of settled.entries()) {
          if (one.status === "fulfilled") assert.equal(one.value, index * 2);
          else
            assert.deepEqual(
              [(one.reason as Error).message, (one.reason as { index: number }).index],
              [`no ${index}`, index],
            );
          assert.equal(one.status === "rejected", failing.includes(index));
        }
      },
    ),
  );
});

test("the first error stops it: nothing begins any more, and nothing runs when it is thrown", async () => {
  await fc.assert(
    fc.asyncProperty(
      aKind,
      aConcurrency,
      someTurns,
      someFailing,
      fc.constantFrom("await", "iterate", "unordered"),
      async (kind, concurrency, turns, failing, method) => {
        const n = 60;
        const given = new Given(kind);
        const watched = new Watched(turns, failing);
        const run = async () => {
          if (method === "await") return await each(given.of(n), watched.fn, { concurrency });
          const all: number[] = [];
          const options = { concurrency, ordered: method === "iterate" };
          for await (const result of each(given.of(n), watched.fn, options)) all.push(result);
          return all;
        };
        if (failing.length === 0) return assert.equal((await run()).length, n);
        const error = await failureOf(run());
        assert.ok(failing.includes(error.index as number));
        assert.equal(error.message, `no ${error.index}`);
        assert.equal(watched.running, 0);
        await given.wasClosed();
        const begun = watched.begun.length;
        for (let turn = 0; turn < 8; turn++) await turnOfTheLoop();
        assert.equal(watched.begun.length, begun);
      },
    ),
  );
});

test("its signal stops it at any moment: what runs is told and waited for", async () => {
  await fc.assert(
    fc.asyncProperty(
      aKind,
      aConcurrency,
      someTurns,
      fc.integer({ min: 0, max: 40 }),
      fc.boolean(),
      async (kind, concurrency, turns, abortAt, collect) => {
        const controller = new AbortController();
        const given = new Given(kind);
        const watched = new Watched(turns);
        const reason = new Error("enough");
        let told = 0;
        const fn = async (item: number, { signal }: EachContext) => {
          if (item === abortAt) controller.abort(reason);
          const result = await watched.fn(item);
          if (signal.aborted) {
            assert.equal(signal.reason, reason);
            told++;
          }
          return result;
        };
        const options: EachOptions & { errors: "collect" } = {
          concurrency,
          signal: controller.signal,
          errors: "collect",
        };
        const work = collect
          ? each(given.of(1000), fn, options)
          : each(given.of(1000), fn, { ...options, errors: "throw" });
        assert.equal(await failureOf(work), reason);
        assert.equal(watched.running, 0);
        await given.wasClosed();
        assert.ok(told >= 1 && told <= concurrency);
        assert.ok(given.taken <= abortAt + 2 * concurrency);
      },
    ),
  );
});

test("a signal that aborted before stops it before an item is taken", async () => {
  const given = new Given("sync");
  const work = each(given.of(5), () => 1, { signal: AbortSignal.abort(new Error("late")) });
  assert.equal((await failureOf(work)).message, "late");
  assert.equal(given.taken, 0);
});

test("a signal stops it while the items are slow to come, and the one who gives them is told", async () => {
  const controller = new AbortController();
  let closed = false;
  const silent: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: never,
      return: async () => {
        closed = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const work = failureOf(each(silent, () => 1, { signal: controller.signal }));
  await turnOfTheLoop();
  controller.abort(new Error("too slow"));
  assert.equal((await work).message, "too slow");
  assert.equal(closed, true);
});

test("leaving the loop stops what runs and closes where the items come from", async () => {
  const given = new Given("slow");
  const begun: number[] = [];
  const told: number[] = [];
  const fn = async (item: number, { signal }: EachContext) => {
    begun.push(item);
    if (item > 2) {
      await once(signal, "abort");
      told.push(item);
    }
    return item;
  };
  for await (const result of each(given.of(1000), fn, { concurrency: 4 })) if (result === 2) break;
  assert.deepEqual(told, begun.slice(3));
  await given.wasClosed();
});

test("an error of where the items come from is thrown after what ran has ended", async () => {
  async function* broken() {
    yield 1;
    yield 2;
    throw new TypeError("the line is cut");
  }
  for (const errors of ["throw", "collect"] as const) {
    const watched = new Watched([5]);
    const options = { concurrency: 3, errors: errors as "collect" };
    assert.equal((await failureOf(each(broken(), watched.fn, options))).message, "the line is cut");
    assert.deepEqual([watched.begun.length, watched.running], [2, 0]);
  }
});

test("an item that fails is tried as often as it may be, and each attempt knows its number", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 20 }),
      fc.integer({ min: 0, max: 4 }),
      aConcurrency,
      async (failuresOf, times, concurrency) => {
        const attempts: number[][] = failuresOf.map(() => []);
        const fn = (failures: number, { index, attempt }: EachContext) => {
          attempts[index]?.push(attempt);
          if (attempt <= failures) throw new Error(`attempt ${attempt}`);
          return attempt;
        };
        const retries = { times, base: 0 };
        const settled = await each(failuresOf, fn, { concurrency, retries, errors: "collect" });
        for (const [index, failures] of failuresOf.entries()) {
          const made = Math.min(failures, times) + 1;
          assert.deepEqual(
            attempts[index],
            numbers(made).map((n) => n + 1),
          );
          const one = settled[index];
          if (failures <= times) assert.deepEqual(one, { status: "fulfilled", value: made });
          else assert.ok(one?.status === "rejected" && String(one.reason) === `Error: attempt ${made}`);
        }
      },
    ),
    { numRuns: runs(20) },
  );
});

test("an error that is not worth it is not tried again", async () => {
  let calls = 0;
  const fn = () => {
    calls++;
    throw Object.assign(new Error("gone"), { status: 404 });
  };
  const retryOn = (error: unknown) => (error as { status: number }).status >= 500;
  await assert.rejects(each([1], fn, { retries: { times: 5, retryOn } }), { message: "gone", index: 0 });
  assert.equal(calls, 1);
});

test("the wait between attempts ends with its signal, long as it may be", async () => {
  const controller = new AbortController();
  const fn = () => {
    setImmediate(() => controller.abort(new Error("enough")));
    throw Object.assign(new Error("busy"), { retryAfter: 600 });
  };
  const work = each([1], fn, { retries: 1, signal: controller.signal });
  assert.equal((await failureOf(work)).message, "enough");
});

test("further attempts keep to the rate as well", async () => {
  const perSecond = 100;
  const atOnce = perSecond / 10;
  let attempts = 0;
  let last = 0;
  const fn = (_item: number, { attempt }: EachContext) => {
    attempts++;
    last = performance.now();
    if (attempt === 1) throw new Error("once more");
  };
  const from = performance.now();
  const retries = { times: 1, base: 0 };
  await each(numbers(20), fn, { concurrency: 20, rate: { perSecond }, retries });
  assert.equal(attempts, 40);
  // Not sooner than the rate allows; how much later is for the machine to say.
  assert.ok(last - from >= (attempts / atOnce - 1) * 100);
});

test("a stop ends those that wait for their turn", async () => {
  const controller = new AbortController();
  let calls = 0;
  const fn = () => {
    calls++;
    setImmediate(() => controller.abort(new Error("enough")));
  };
  const rate = { perSecond: 0.001 };
  const work = each(numbers(100), fn, { rate, concurrency: 50, signal: controller.signal });
  assert.equal((await failureOf(work)).message, "enough");
  assert.equal(calls, 1);
});

test("an attempt that takes too long is told and given up, and may be made again", async () => {
  const reasons: unknown[] = [];
  const fn = async (_item: number, { attempt, signal }: EachContext) => {
    signal.addEventListener("abort", () => reasons.push(signal.reason));
    return attempt < 3 ? await never() : "done";
  };
  const options = { timeout: 20, retries: { times: 2, base: 0 } };
  assert.deepEqual(await each([1], fn, options), ["done"]);
  assert.equal(reasons.length, 2);
  assert.ok(reasons.every((reason) => reason instanceof TimeLimitError));
  const error = await failureOf(each([1, 2], never, { timeout: 5 }));
  assert.deepEqual(
    [error.code, error.message],
    ["each.timeout", `Item ${error.index} took longer than 5 ms.`],
  );
});

test("what is thrown comes as it is, whatever it is", async () => {
  for (const thrown of [
    undefined,
    null,
    "text",
    new TypeError("plain"),
    Object.freeze(new Error("frozen")),
  ]) {
    const [settled] = await each([1], () => Promise.reject(thrown), { errors: "collect" });
    assert.ok(settled?.status === "rejected" && settled.reason === thrown);
    await assert.rejects(
      async () => await each([1], () => Promise.reject(thrown)),
      (error) => error === thrown,
    );
  }
});

test("nothing begins before it is wanted, it runs once, and it is a promise as any other", async () => {
  const watched = new Watched([1]);
  const one = each([1, 2], watched.fn);
  await turnOfTheLoop();
  assert.equal(watched.begun.length, 0);
  assert.deepEqual(await Promise.all([one, one.finally(() => {})]), [
    [2, 4],
    [2, 4],
  ]);
  assert.equal(watched.begun.length, 2);
  await assert.rejects(
    async () => {
      for await (const _ of one) assert.fail();
    },
    { code: "each.used" },
  );
  const other = each([1], watched.fn);
  for await (const result of other) assert.equal(result, 2);
  await assert.rejects(other, { code: "each.used" });
  assert.equal(
    await each([1], () => {
      throw new Error("caught");
    }).catch((error: Error) => error.message),
    "caught",
  );
});

test("an option that cannot be is refused by name, before anything begins", () => {
  const wrong: readonly (readonly [EachOptions, string])[] = [
    [{ concurrency: 0 }, "pool.option"],
    [{ concurrency: 1.5 }, "pool.option"],
    [{ concurrency: Number.POSITIVE_INFINITY }, "pool.option"],
    [{ rate: { perSecond: 0 } }, "pool.option"],
    [{ rate: { perSecond: Number.NaN } }, "pool.option"],
    [{ retries: -1 }, "pool.option"],
    [{ retries: { times: Number.NaN } }, "pool.option"],
    [{ retries: { times: 1, base: -1 } }, "argument.duration"],
    [{ timeout: 0 }, "pool.option"],
    [{ timeout: Number.NaN }, "argument.duration"],
  ];
  for (const [options, code] of wrong) {
    assert.throws(
      () => each([1], () => 1, options),
      (error) => error instanceof PawlError && error.code === code,
    );
  }
  assert.throws(() => each(undefined as never, () => 1), { code: "each.items" });
});

test("an iterator is never asked for its next item while it still thinks about the last", async () => {
  let asked = 0;
  let at = 0;
  const plain: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        assert.equal(++asked, 1);
        await turnOfTheLoop();
        asked--;
        return at < 50 ? { done: false, value: at++ } : { done: true, value: undefined };
      },
    }),
  };
  assert.deepEqual(await each(plain, (x) => x, { concurrency: 10 }), numbers(50));
});

test("pages of a real server that is busy at times come once each, never too many at once", async () => {
  const asked = new Map<string, number>();
  let open = 0;
  let most = 0;
  const server = createServer(async (request, response) => {
    most = Math.max(most, ++open);
    response.once("close", () => open--);
    const path = request.url as string;
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    await turnOfTheLoop();
    if (Number(path.slice(1)) % 5 < times) response.end(`page ${path}`);
    else response.writeHead(503, { "retry-after": "0" }).end();
  }).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const fetchPage = async (n: number, { signal }: EachContext) => {
      const response = await fetch(`${origin}/${n}`, { signal });
      if (!response.ok) throw Object.assign(new Error(`${response.status}`), { response });
      return await response.text();
    };
    const retries = { times: 4, base: 1, retryOn: (error: unknown) => (error as Error).message === "503" };
    const pages = await each(numbers(200), fetchPage, { concurrency: 8, retries });
    assert.deepEqual(
      pages,
      numbers(200).map((n) => `page /${n}`),
    );
    for (const n of numbers(200)) assert.equal(asked.get(`/${n}`), Math.max(1, (n % 5) + 1));
    assert.ok(most <= 8, `${most} at once`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("many that wait for another attempt at once bring no warning", async () => {
  const warnings: Error[] = [];
  const hear = (warning: Error) => warnings.push(warning);
  process.on("warning", hear);
  const fn = (_item: number, { attempt }: EachContext) => {
    if (attempt === 1) throw new Error("once more");
  };
  await each(numbers(200), fn, { concurrency: 200, retries: { times: 1, base: 20 } });
  await turnOfTheLoop();
  process.off("warning", hear);
  assert.deepEqual(warnings, []);
});

leavesHeapFlat(200_000);
