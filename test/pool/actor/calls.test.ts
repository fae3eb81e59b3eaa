import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { inspect } from "node:util";
import {
  type Actor,
  actor,
  Counter,
  callable,
  control,
  Lock,
  Pool,
  put,
  SharedArray,
  TimeLimitError,
} from "../../../src/pool/index.ts";
import { fc, runs } from "../../random.ts";
import { failureOf } from "../failure.ts";
import { numbers } from "../numbers.ts";
import { Ledger, Sharer, Tally, Unknown, Unready } from "./fixtures/classes.ts";

for (const isolate of ["thread", "process"] as const) {
  suite(`an actor in a ${isolate}`, () => {
    test("keeps its state between calls, in a worker of its own", async () => {
      await using tally = await actor(Tally, [5], { isolate });
      const sums: number[] = [await tally.add(1), await tally.add(2)];
      assert.deepEqual([...sums, await tally.count(), await tally.arrow(2)], [6, 8, 8, 10]);
      const place = await tally.where();
      assert.notEqual(place, new Tally().where());
      assert.equal(await tally.where(), place);
      assert.equal(await tally.overridden(), "derived");
      assert.deepEqual(await tally.optional(1), [1, undefined]);
    });

    test("makes calls in their order, however many there are and however long each lasts", async () => {
      await using tally = await actor(Tally, [], { isolate });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ amount: fc.integer(), slow: fc.boolean() }), { maxLength: 40 }),
          async (calls) => {
            const before = (await tally.seen()).length;
            const results = await Promise.all(
              calls.map(({ amount, slow }) => (slow ? tally.slow(amount, 1) : tally.add(amount))),
            );
            assert.deepEqual(
              (await tally.seen()).slice(before),
              calls.map(({ amount }) => amount),
            );
            if (calls.length > 0) assert.equal(results.at(-1), await tally.count());
          },
        ),
        { numRuns: runs(8) },
      );
      assert.ok((await tally.most()) <= 1);
      const many = numbers(5000);
      const begun = await tally.count();
      const sums = await Promise.all(many.map((amount) => tally.add(amount)));
      let sum = begun;
      assert.deepEqual(
        sums,
        many.map((amount) => (sum += amount)),
      );
    });

    test("runs as many async calls at once as it may", async () => {
      await using tally = await actor(Tally, [], { isolate, concurrency: 3 });
      await Promise.all(numbers(9).map((n) => tally.slow(n, 20)));
      assert.equal(await tally.most(), 3);
    });

    test("an error keeps its type, message and properties, and the actor continues", async () => {
      await using tally = await actor(Tally, [], { isolate });
      const error = await failureOf(tally.fail("off the end"));
      assert.ok(error instanceof RangeError);
      assert.deepEqual([error.message, error.code], ["off the end", "too-far"]);
      assert.match(error.stack ?? "", /classes\.ts/);
      assert.equal(await tally.add(1), 1);
    });

    test("what cannot be sent or returned is an error of that call alone", async () => {
      await using tally = await actor(Tally, [], { isolate });
      const settled = await Promise.allSettled([
        tally.add(1),
        tally.echo(() => 1),
        tally.add(1),
        tally.uncloneable(),
        tally.pages(),
        tally.generated(),
        tally.add(1),
      ]);
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason.code)),
        [1, "pool.unsendable", 2, "pool.unsendable-result", "pool.actor-iterator", "pool.actor-iterator", 3],
      );
      const results = settled.map((one) => (one.status === "rejected" ? one.reason.message : ""));
      assert.match(results[1], /^The arguments of Tally\.echo cannot be sent/);
      assert.match(results[4], /^Tally\.pages returned an iterator/);
    });

    test("a call that runs too long is told, then ended", async () => {
      await using tally = await actor(Tally, [], { isolate, maxRestarts: 1 });
      await tally.add(1);
      const soft = control(tally).with({ timeout: { soft: 50, hard: 60_000 } });
      assert.equal((await failureOf(soft.patient(60_000))).name, "AbortError");
      assert.equal(await tally.count(), 1);
      const hard = control(tally).with({ timeout: 100 });
      const [cut, next] = await Promise.allSettled([hard.spin(60_000), tally.count()]);
      assert.ok(cut.status === "rejected" && cut.reason instanceof TimeLimitError);
      assert.match(cut.reason.message, /^Tally\.spin ran longer than 100 ms/);
      // It had not begun, and the actor that came after knows nothing of the first.
      assert.deepEqual(next, { status: "fulfilled", value: 0 });
    });

    test("only the time in which a call runs counts", async () => {
      await using tally = await actor(Tally, [], { isolate });
      const limited = control(tally).with({ timeout: 2000 });
      assert.deepEqual(
        await Promise.all(numbers(30).map(() => limited.slow(1, 100))),
        numbers(30).map((n) => n + 1),
      );
    });

    test("a signal withdraws a call that waits, and tells one that runs", async () => {
      await using tally = await actor(Tally, [], { isolate });
      const running = new AbortController();
      const waiting = new AbortController();
      const calls = [
        control(tally).with({ signal: running.signal }).patient(60_000),
        control(tally).with({ signal: waiting.signal }).add(1),
      ];
      const settled = Promise.allSettled(calls);
      waiting.abort();
      running.abort();
      assert.deepEqual(
        (await settled).map((one) => one.status === "rejected" && one.reason.name),
        ["AbortError", "AbortError"],
      );
      assert.deepEqual(await tally.seen(), []);
      const gone = control(tally).with({ signal: AbortSignal.abort() });
      assert.equal((await failureOf(gone.add(1))).name, "AbortError");
    });

    test("calls beyond maxPending fail at once, and room tells when there is some", async () => {
      await using tally = await actor(Tally, [], { isolate, maxPending: 10 });
      const settled = await Promise.allSettled(numbers(25).map(() => tally.add(1)));
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? "" : one.reason.code)),
        numbers(25).map((n) => (n < 10 ? "" : "pool.actor-busy")),
      );
      let made = 0;
      const all: Promise<number>[] = [];
      for (; made < 500; made++) {
        await control(tally).room();
        all.push(tally.add(1));
      }
      assert.equal((await Promise.all(all)).at(-1), 510);
    });

    test("a constructor that throws is the error of actor()", async () => {
      const error = await failureOf(actor(Unready, ["no weights"], { isolate }));
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "no weights");
      const uncloneable = await failureOf(actor(Unready, [(() => 1) as unknown as string], { isolate }));
      assert.equal(uncloneable.code, "pool.unsendable");
    });

    test("refs are arguments like any other", async () => {
      await using sharer = await actor(Sharer, [], { isolate });
      using table = put({ prices: Float64Array.of(1.5, 2.5) });
      assert.equal(await sharer.total(table), 4);
    });

    test("statistics count calls, and the time in which they ran", async () => {
      await using tally = await actor(Tally, [], { isolate });
      await tally.spin(30);
      await tally.slow(1, 30);
      await tally.fail("x").catch(() => {});
      const waiting = tally.slow(1, 50);
      const [stats] = control(tally).stats();
      assert.ok(stats);
      assert.deepEqual([stats.state, stats.calls, stats.pending, stats.restarts], ["ready", 3, 1, 0]);
      assert.ok(stats.busyMs >= 58, String(stats.busyMs));
      await waiting;
    });
  });
}

test("shared arrays, counters and locks of this process are the same in a thread", async () => {
  await using sharer = await actor(Sharer, []);
  const array = SharedArray.zeros("float64", [3]);
  const same = await sharer.fill(array, 2);
  assert.deepEqual([...array.data], [2, 2, 2]);
  same.data[0] = 5;
  assert.equal(array.get(0), 5);
  const counter = new Counter();
  assert.equal(await sharer.count(counter, new Lock()), 2);
  assert.equal(counter.value, 2);
});

test("a shared array on its way to a process is refused with a sentence, and the actor continues", async () => {
  await using sharer = await actor(Sharer, [], { isolate: "process" });
  assert.equal(
    (await failureOf(sharer.fill(SharedArray.zeros("float64", [3]), 2))).code,
    "pool.shared-process",
  );
  using table = put({ prices: Float64Array.of(1) });
  assert.equal(await sharer.total(table), 1);
});

test("a handle is not a promise, can be printed and compared, and says what it has not", async () => {
  await using tally = await actor(Tally, []);
  assert.equal(await tally, tally);
  assert.ok(!("then" in tally));
  assert.match(inspect(tally), /Actor Tally/);
  assert.equal(JSON.stringify({ tally }), '{"tally":{}}');
  assert.equal(String(tally), "[object Actor Tally]");
  const loose = tally as unknown as Record<string, () => Promise<unknown>>;
  for (const name of ["size", "multiply"]) {
    const error = await failureOf(loose[name]?.() ?? Promise.resolve());
    assert.equal(error.code, "pool.actor-method");
    assert.match(error.message, new RegExp(`^Tally has no method ${name} .*only arrow, .*, where:`));
  }
  // @ts-expect-error It is private.
  void tally.hidden;
  // @ts-expect-error A getter is not a method.
  void tally.size;
  // @ts-expect-error Its argument is a number.
  await tally.add("1").catch(() => {});
  const typed: Actor<Tally> = tally;
  assert.equal(await typed.reveal(), 1);
});

test("a class that workers cannot find is refused with the remedy", async () => {
  const error = await failureOf(actor(Unknown, []));
  assert.equal(error.code, "pool.actor-class");
  assert.equal(
    error.message,
    "actor was given the class Unknown, which workers cannot find: write callable(import.meta, Unknown) below it, at the top level of its module.",
  );
  const loose = actor as unknown as (Class: unknown, args: unknown[]) => Promise<unknown>;
  for (const given of [() => 1, undefined, Tally.prototype]) {
    assert.equal((await failureOf(loose(given, []))).code, "pool.actor-class");
  }
  assert.throws(() => control({} as Actor<Tally>), { code: "pool.actor-handle" });
});

test("a class is not a function for a pool", async () => {
  await using pool = new Pool({ workers: 1 });
  const error = await failureOf(
    (async () => await pool.apply(Tally as unknown as (x: number) => number, 1))(),
  );
  assert.equal(error.code, "pool.class");
  const inside = class {};
  assert.equal(callable(import.meta, inside), inside);
});

test("options that make no sense are refused", async () => {
  for (const options of [
    { maxRestarts: -1 },
    { concurrency: 0 },
    { maxPending: 1.5 },
    { saveEvery: Number.NaN },
    { isolate: "cluster" as "thread" },
    { maxHeap: 0 },
  ]) {
    assert.equal((await failureOf(actor(Ledger, [], options))).code, "pool.option");
  }
});
