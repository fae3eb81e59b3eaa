import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  asCompleted,
  type Isolation,
  Pool,
  put,
  SharedArray,
  TimeLimitError,
  WorkerDiedError,
  wait,
} from "../../src/pool/index.ts";
import { fc, runs } from "../random.ts";
import { failureOf } from "./failure.ts";
import { patientLater } from "./fixtures/late.ts";
import {
  add,
  begin,
  deadly,
  double,
  faulty,
  patient,
  scaled,
  slower,
  spin,
  stuck,
  totalOf,
  unready,
  where,
} from "./fixtures/tasks.ts";
import { waitsForFile } from "./fixtures/trouble.ts";
import { numbers } from "./numbers.ts";

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`a pool of ${isolate === "thread" ? "threads" : "processes"}`, () => {
    test("maps in order, in chunks of any size", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer(), { maxLength: 60 }),
          fc.integer({ min: 1, max: 20 }),
          async (xs, chunkSize) => {
            assert.deepEqual(
              await pool.map(double, xs, { chunkSize }),
              xs.map((x) => x * 2),
            );
          },
        ),
        { numRuns: runs(15) },
      );
    });

    test("maps what an async iterable gives, and an inline function", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      async function* source() {
        for (const x of numbers(25)) {
          if (x % 7 === 0) await sleep(1);
          yield x;
        }
      }
      const squares = numbers(25).map((x) => x * x);
      assert.deepEqual(await pool.map((x: number) => x * x, source(), { chunkSize: 4 }), squares);
      assert.deepEqual(
        await pool.starmap(add, [
          [1, 2],
          [3, 4],
        ]),
        [3, 7],
      );
    });

    test("an error keeps its type, message, cause, properties, stack and index", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const error = await failureOf(pool.map(faulty, [0, 1, 2, 3], { chunkSize: 2 }));
      assert.deepEqual([error.name, error.message, error.code], ["StockError", "no 3 left", "out-of-stock"]);
      assert.ok(error.cause instanceof RangeError);
      assert.match(error.stack ?? "", /tasks\.ts/);
      assert.equal(error.index, 3);
      const settled = await pool.map(faulty, numbers(20), { chunkSize: 3, errors: "collect" });
      const failed = settled.flatMap((one, index) => (one.status === "rejected" ? [index] : []));
      assert.deepEqual(failed, [3, 7, 13, 17]);
      assert.ok(settled[7]?.status === "rejected" && settled[7].reason instanceof TypeError);
    });

    test("imap gives results in order and takes no more items than there is room for", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      let taken = 0;
      function* source() {
        for (;;) yield taken++;
      }
      const results: number[] = [];
      for await (const result of pool.imap(double, source(), { chunkSize: 5 })) {
        results.push(result);
        assert.ok(taken - results.length <= 2 * 2 * 5 + 1);
        if (results.length === 200) break;
      }
      assert.deepEqual(
        results,
        numbers(200).map((x) => x * 2),
      );
    });

    test("imapUnordered gives each result once, the quick before the slow", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const results: number[] = [];
      const folder = await mkdtemp(join(tmpdir(), "pawl-pool-"));
      const path = join(folder, "go");
      const items = [{ path, n: 0 }, ...[1, 2, 3].map((n) => ({ path: null, n }))];
      // The first is done only when the others have their results.
      for await (const n of pool.imapUnordered(waitsForFile, items, { chunkSize: 1 })) {
        results.push(n);
        if (results.length === 3) await writeFile(path, "");
      }
      await rm(folder, { recursive: true });
      assert.equal(results.at(-1), 0);
      assert.deepEqual(results.toSorted(), [0, 1, 2, 3]);
    });

    test("a submitted call has a future", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const futures = numbers(50).map((x) => pool.submit(add, x, 1));
      const values: number[] = [];
      for await (const future of asCompleted(futures)) values.push(await future.result());
      assert.deepEqual(
        values.toSorted((a, b) => a - b),
        numbers(50).map((x) => x + 1),
      );
      const slow = pool.submit(spin, 400);
      await assert.rejects(slow.result({ timeout: 20 }), { code: "pool.waited" });
      assert.equal(slow.done, false);
      const { done, pending } = await wait([slow, pool.submit(add, 1, 1)], { until: "first" });
      assert.deepEqual([done.length, pending[0]], [1, slow]);
      assert.equal(await slow.result(), 400);
      assert.equal(await pool.apply(add, 2, 3), 5);
    });

    test("a call that waits is cancelled before it begins, one that runs is told, one that is deaf is ended", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const running = pool.submit(patient as (ms: number) => Promise<number>, 60_000);
      await pool
        .submit(add, 1, 1)
        .result({ timeout: 300 })
        .catch(() => {});
      const waiting = pool.submit(spin, 1);
      assert.equal(waiting.cancel(), true);
      await assert.rejects(waiting.result(), { name: "AbortError" });
      assert.equal(running.cancel(), true);
      await assert.rejects(running.result(), { name: "AbortError" });
      const deaf = pool.submit(stuck, -1);
      await sleep(300);
      assert.equal(deaf.cancel({ kill: true }), true);
      await assert.rejects(deaf.result(), { name: "AbortError" });
      assert.equal(await pool.apply(add, 1, 2), 3);
      assert.equal(deaf.cancel(), false);
    });

    test("an item that runs too long is ended, and the others are unharmed", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const items = [1, 2, -1, 3, 4, 5, -1, 6];
      const settled = await pool.map(stuck, items, { timeout: 1_500, errors: "collect", chunkSize: 4 });
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason instanceof TimeLimitError)),
        [1, 2, true, 3, 4, 5, true, 6],
      );
    });

    test("a soft limit lets an item end by itself", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const settled = await pool.map(patient, [1, 60_000, 2], {
        timeout: { soft: 1_500, hard: 60_000 },
        errors: "collect",
        chunkSize: 3,
      });
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).name)),
        [1, "AbortError", 2],
      );
    });

    test("a soft limit is kept though the first item begins later than it", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const settled = await pool.map(patientLater, [60_000], {
        timeout: { soft: 50, hard: 50_000 },
        errors: "collect",
      });
      assert.equal((settled[0] as PromiseRejectedResult).reason.name, "AbortError");
    });

    test("a worker that dies fails only what it ran", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const hows = isolate === "thread" ? (["exit"] as const) : (["exit", "abort"] as const);
      for (const how of hows) {
        const items = numbers(12).map((n) => ({ n, how: n === 5 ? how : null }));
        const settled = await pool.map(deadly, items, { chunkSize: 4, errors: "collect" });
        assert.deepEqual(
          settled.map((one) =>
            one.status === "fulfilled" ? one.value : one.reason instanceof WorkerDiedError,
          ),
          numbers(12).map((n) => (n === 5 ? true : n)),
        );
      }
    });

    test("init runs in each worker and its value reaches each call", async () => {
      await using pool = new Pool({ workers: 2, isolate, init: begin, initArgument: 7 });
      assert.deepEqual(await pool.map(scaled as (x: number) => number, [1, 2, 3]), [7, 14, 21]);
    });

    test("an init that throws is the error of every call", async () => {
      await using pool = new Pool({ workers: 2, isolate, init: unready });
      await assert.rejects(pool.map(double, [1, 2, 3]), { name: "TypeError", message: "no model here" });
    });

    test("a worker is replaced after so many items", async () => {
      await using pool = new Pool({ workers: 1, isolate, maxTasksPerWorker: 3 });
      const places = await pool.map(where as (x: number) => { pid: number; thread: number }, numbers(9), {
        chunkSize: 1,
      });
      assert.equal(new Set(places.map(({ pid, thread }) => `${pid} ${thread}`)).size, 3);
    });

    test("what cannot be sent is an error of its item alone", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const items: unknown[] = [1, () => {}, 3];
      const settled = await pool.map((x: unknown) => x, items, { chunkSize: 3, errors: "collect" });
      assert.deepEqual(
        settled.map((one) =>
          one.status === "fulfilled" ? one.value : (one.reason as { code: string }).code,
        ),
        [1, "pool.unsendable", 3],
      );
      const results = await pool.map((x: number) => (x === 1 ? () => x : x), [0, 1, 2], {
        chunkSize: 3,
        errors: "collect",
      });
      assert.deepEqual(
        results.map((one) =>
          one.status === "fulfilled" ? one.value : (one.reason as { code: string }).code,
        ),
        [0, "pool.unsendable-result", 2],
      );
    });
  });
}

test("shared memory and objects reach inline functions, and need no copy", async () => {
  await using pool = new Pool({ workers: 2 });
  const squares = SharedArray.from("float64", numbers(1000));
  await pool.map(
    (part: SharedArray<"float64">) => {
      const { data } = part;
      for (let at = 0; at < data.length; at++) data[at] = (data[at] as number) ** 2;
      return data.length;
    },
    squares.split(2),
    { chunkSize: 1 },
  );
  assert.equal(squares.get(999), 999 ** 2);
  using table = put({ names: ["a", "b"], prices: Float64Array.of(1.5, 2.5) });
  assert.equal(await pool.apply(totalOf, table), 4);
});

/** The clock of a test: however busy the machine is, no time goes by but a tenth of a microsecond each time it is asked. */
function quickClock(t: TestContext): void {
  let now = performance.now();
  t.mock.method(performance, "now", () => {
    now += 0.0001;
    return now;
  });
}

test("explain says of a short map that there was nothing to decide, and of a submitted call what it was", async () => {
  await using pool = new Pool({ workers: 2 });
  await pool.map(double, [1, 2, 3]);
  await pool.submit(add, 1, 2).result();
  assert.deepEqual(
    pool.explain().functions.map(({ inline, parallel, why }) => [inline, parallel, why]),
    [
      [3, 0, "its calls were over before there was anything to decide"],
      [0, 1, "it was submitted"],
    ],
  );
});

test("trivial items stay in the caller's thread, and explain says why", async (t) => {
  quickClock(t);
  await using pool = new Pool({ workers: 2 });
  const xs = numbers(50_000);
  assert.deepEqual(
    await pool.map(double, xs),
    xs.map((x) => x * 2),
  );
  const [told] = pool.explain().functions;
  assert.deepEqual([told?.inline, told?.parallel], [50_000, 0]);
});

test("costly items go to the workers", async () => {
  await using pool = new Pool({ workers: 2 });
  // This thread goes on while they start, which may take some time.
  for (let round = 0; round < 50 && !pool.explain().functions[0]?.parallel; round++) {
    assert.deepEqual(await pool.map(spin, new Array(100).fill(3)), new Array(100).fill(3));
  }
  const [told] = pool.explain().functions;
  assert.ok(told && told.parallel > 0, JSON.stringify(told));
});

test("a map is stopped by its signal", async () => {
  await using pool = new Pool({ workers: 2 });
  const signal = AbortSignal.timeout(100);
  await assert.rejects(pool.map(spin, new Array(1000).fill(20), { signal }), { name: "TimeoutError" });
  assert.deepEqual(await pool.map(double, [1], { chunkSize: 1 }), [2]);
});

test("a pool that is closed waits for what it has and takes no more; one that is ended says so", async () => {
  const pool = new Pool({ workers: 2 });
  const future = pool.submit(spin, 50);
  await pool.close();
  assert.equal(await future.result(), 50);
  assert.throws(() => pool.submit(spin, 1), { code: "pool.closed" });
  const other = new Pool({ workers: 1 });
  const cut = other.submit(stuck, -1);
  await sleep(200);
  await other.terminate();
  await assert.rejects(cut.result(), { code: "pool.terminated" });
});

suite("a stream of cheap items", () => {
  test("stays in the caller's thread, whatever its length is known to be", async (t) => {
    quickClock(t);
    await using pool = new Pool({ workers: 2 });
    const endless = function* () {
      for (let n = 0; ; n++) yield n;
    };
    let sum = 0;
    for await (const value of pool.imap(double, endless())) {
      sum += value;
      if (value === 2 * 19_999) break;
    }
    assert.equal(sum, 19_999 * 20_000);
    for await (const value of pool.imapUnordered(double, numbers(1_000))) sum += value;
    const [explained] = pool.explain().functions;
    assert.equal(explained?.parallel, 0);
    assert.equal(explained?.inline, 21_000);
  });

  test("takes an item when it is asked for, and closes its source", async () => {
    await using pool = new Pool({ workers: 2 });
    const taken: number[] = [];
    let closed = false;
    const source = async function* () {
      try {
        for (let n = 0; ; n++) {
          taken.push(n);
          yield n;
        }
      } finally {
        closed = true;
      }
    };
    for await (const value of pool.imap(double, source())) if (value === 6) break;
    assert.deepEqual(taken, [0, 1, 2, 3]);
    assert.equal(closed, true);
  });

  test("fails with the item's own error and index", async () => {
    await using pool = new Pool({ workers: 2 });
    const results: number[] = [];
    const failure = await failureOf(
      (async () => {
        for await (const value of pool.imap(faulty, numbers(100))) results.push(value);
      })(),
    );
    assert.equal(failure.index, results.length);
    assert.equal(pool.explain().functions[0]?.parallel, 0);
  });

  test("goes to workers once its items cost enough, without losing any or changing their order", async () => {
    await using pool = new Pool({ workers: 2 });
    let items = 0;
    // This thread goes on while they start, which may take some time.
    for (let round = 0; round < 20 && !pool.explain().functions[0]?.parallel; round++) {
      const results: number[] = [];
      for await (const value of pool.imap(slower, numbers(1_000))) results.push(value);
      assert.deepEqual(results, numbers(1_000));
      items += 1_000;
    }
    const [explained] = pool.explain().functions;
    assert.equal((explained?.inline ?? 0) + (explained?.parallel ?? 0), items);
    assert.ok((explained?.parallel ?? 0) > 0);
  });
});

test("explain counts the objects that were put", async () => {
  await using pool = new Pool({ workers: 1 });
  const { refs, disposed } = pool.explain().objects;
  const ref = put(new Float64Array(1000));
  assert.equal(pool.explain().objects.refs, refs + 1);
  ref.dispose();
  assert.equal(pool.explain().objects.refs, refs);
  assert.equal(pool.explain().objects.disposed, disposed + 1);
});
