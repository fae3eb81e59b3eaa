import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type MapOptions, Pool } from "../../../src/pool/index.ts";
import { fc, runs } from "../../random.ts";
import { echo, type Given, type Given2, pair } from "../fixtures/echo.ts";

/** Items of many sizes; some of them fail, and some take a moment. */
const given: fc.Arbitrary<Given> = fc.record({
  payload: fc.oneof(
    { arbitrary: fc.jsonValue(), weight: 6 },
    { arbitrary: fc.nat(300).map((n) => "x".repeat(n)), weight: 2 },
    { arbitrary: fc.nat(300_000).map((n) => new Uint8Array(n).fill(n)), weight: 1 },
    { arbitrary: fc.constantFrom(undefined, null, Number.NaN, -0, 1n), weight: 1 },
  ),
  fails: fc.oneof({ arbitrary: fc.constant(false), weight: 15 }, { arbitrary: fc.constant(true), weight: 1 }),
  works: fc.oneof(
    { arbitrary: fc.constant(0), weight: 5 },
    { arbitrary: fc.constantFrom(0.2, 1, 4), weight: 1 },
  ),
  waits: fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 }),
});
const items = fc.oneof(
  { arbitrary: fc.constantFrom<Given[]>([]), weight: 1 },
  { arbitrary: fc.array(given, { minLength: 1, maxLength: 1 }), weight: 1 },
  { arbitrary: fc.array(given, { maxLength: 60 }), weight: 8 },
);
const chunkSize = fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined });
const sources = fc.constantFrom("array", "iterable", "asyncIterable");

async function* slowly<T>(all: readonly T[]): AsyncGenerator<T> {
  for (const [at, one] of all.entries()) {
    if (at % 11 === 3) await sleep(1);
    yield one;
  }
}

function* oneByOne<T>(all: readonly T[]): Generator<T> {
  yield* all;
}

async function* first<T>(all: AsyncIterable<T>, n: number): AsyncGenerator<T> {
  if (n === 0) return;
  for await (const one of all) {
    yield one;
    if (--n === 0) return;
  }
}

function from<T>(all: readonly T[], kind: string): Iterable<T> | AsyncIterable<T> {
  return kind === "array" ? all : kind === "iterable" ? oneByOne(all) : slowly(all);
}

/** What each item should come to. */
function due(all: readonly Given[]): unknown[] {
  return all.map(({ payload, fails }, index) => (fails ? `${index}: refused` : payload));
}

function told(reason: unknown): string {
  assert.ok(reason instanceof RangeError, String(reason));
  return `${(reason as Error & { index: number }).index}: ${reason.message}`;
}

for (const isolate of ["thread", "process"] as const) {
  suite(`every method gives each item its own result (${isolate})`, () => {
    const numRuns = runs(isolate === "thread" ? 30 : 15);
    /** The same pools all along: what one call leaves behind must not harm the next. */
    let pools: readonly Pool[] = [];
    before(() => {
      pools = [1, 3].map((workers) => new Pool({ workers, isolate }));
    });
    after(async () => {
      for (const pool of pools) await pool.close();
    });
    async function check(
      property: (pool: Pool, all: Given[], options: MapOptions, kind: string) => Promise<void>,
    ): Promise<void> {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...pools), items, chunkSize, sources, (pool, all, size, kind) =>
          property(pool, all, size === undefined ? {} : { chunkSize: size }, kind),
        ),
        { numRuns, endOnFailure: true },
      );
    }

    test("map, collecting errors", async () => {
      await check(async (pool, all, options, kind) => {
        const settled = await pool.map(echo, from(all, kind), { ...options, errors: "collect" });
        assert.deepEqual(
          settled.map((one) => (one.status === "fulfilled" ? one.value : told(one.reason))),
          due(all),
        );
      });
    });

    test("map, until the first error", async () => {
      await check(async (pool, all, options, kind) => {
        const call = pool.map(echo, from(all, kind), options);
        if (all.every(({ fails }) => !fails)) assert.deepEqual(await call, due(all));
        else {
          const reason = await call.then(
            () => assert.fail("it did not fail"),
            (error: unknown) => error,
          );
          assert.ok(due(all).includes(told(reason)));
        }
      });
    });

    test("starmap", async () => {
      await check(async (pool, all, options, kind) => {
        const pairs = all.map((one, at): [Given, number] => [{ ...one, fails: false }, at]);
        const results: Given2[] = await pool.starmap(pair, from(pairs, kind), options);
        assert.deepEqual(
          results,
          all.map(({ payload }, at) => [payload, at]),
        );
      });
    });

    test("imap, in order up to the first error", async () => {
      await check(async (pool, all, options, kind) => {
        const results: unknown[] = [];
        const first = all.findIndex(({ fails }) => fails);
        try {
          for await (const value of pool.imap(echo, from(all, kind), options)) results.push(value);
          assert.equal(first, -1);
        } catch (error) {
          assert.equal(told(error), `${first}: refused`);
        }
        assert.deepEqual(results, due(first === -1 ? all : all.slice(0, first)));
      });
    });

    test("imapUnordered, each once", async () => {
      await check(async (pool, all, options, kind) => {
        const numbered = all.map((one, at) => ({ ...one, payload: at, fails: false }));
        const results: unknown[] = [];
        for await (const value of pool.imapUnordered(echo, from(numbered, kind), options))
          results.push(value);
        assert.deepEqual(
          results.toSorted((a, b) => Number(a) - Number(b)),
          numbered.map(({ payload }) => payload),
        );
      });
    });

    test("imap that is left early, and a source that throws", async () => {
      await check(async (pool, all, options, kind) => {
        const fine = all.map((one, at) => ({ ...one, payload: at, fails: false }));
        let closed = false;
        const source = async function* () {
          try {
            yield* from(fine, kind);
            throw new SyntaxError("the source is broken");
          } finally {
            closed = true;
          }
        };
        const results: unknown[] = [];
        await assert.rejects(
          async () => {
            for await (const value of pool.imap(echo, source(), options)) results.push(value);
          },
          { name: "SyntaxError" },
        );
        // What came before is not lost.
        assert.deepEqual(
          results,
          fine.map((_, at) => at),
        );
        closed = false;
        let left = 0;
        for await (const _ of first(pool.imap(echo, source(), options), all.length >> 1)) left++;
        assert.equal(left, all.length >> 1);
        // A source that still owes an item is closed when that comes.
        for (let looks = 0; left > 0 && !closed; looks++) {
          assert.ok(looks < 1_000, "the source was left open");
          await sleep(5);
        }
      });
    });

    test("submit", async () => {
      await check(async (pool, all) => {
        const settled = await Promise.allSettled(all.map((one) => pool.submit(echo, one).result()));
        assert.deepEqual(
          settled.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).message)),
          all.map(({ payload, fails }) => (fails ? "refused" : payload)),
        );
      });
    });
  });
}
