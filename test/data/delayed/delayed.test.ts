import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, suite, test } from "node:test";
import { inspect } from "node:util";
import { computeAll } from "../../../src/data/compute-all.ts";
import { type Delayable, type Delayed, delayed } from "../../../src/data/delayed/delayed.ts";
import { DelayedError } from "../../../src/data/delayed/error.ts";
import { Pool, put } from "../../../src/pool/index.ts";
import { privateDirectory } from "../../../src/pool/internal.ts";
import { fc, runs } from "../../random.ts";
import { strangeValues } from "../../strange-values.ts";
import { counted, makeRef, sumOfRef, throwStrange } from "./fixtures/functions.ts";

const add = delayed((a: number, b: number) => a + b, { name: "add" });
const square = delayed((x: number) => x * x, { name: "square" });
const total = delayed((numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0), { name: "total" });
const echo = delayed((value: unknown) => value, { name: "echo" });

function countsOf(n: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * n));
}

suite("a graph of delayed calls", () => {
  let pool: Pool;
  before(() => {
    pool = new Pool({ workers: 2 });
  });
  after(() => pool.terminate());

  test("gives what its functions give, with results in the places of delayed arguments", async () => {
    assert.equal(await add(square(2), square(3)).compute({ pool }), 13);
    assert.equal(await total([square(2), 5, add(1, square(1))]).compute({ pool }), 11);
    const nested = echo({ list: [square(2), { deep: square(3) }], plain: 1, date: new Date(0) });
    assert.deepEqual(await nested.compute({ pool }), { list: [4, { deep: 9 }], plain: 1, date: new Date(0) });
  });

  test("any graph equals a naive evaluation, and each call is made once", async () => {
    const graphs = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 60 });
    const node = delayed(counted, { name: "node" });
    await fc.assert(
      fc.asyncProperty(graphs, fc.nat(), async (shape, pick) => {
        const calls = countsOf(shape.length);
        const nodes: Delayed<number>[] = [];
        const naive: number[] = [];
        for (const [at, edges] of shape.entries()) {
          const needs = at === 0 ? [] : edges.map((edge) => edge % at);
          nodes.push(
            node(
              calls,
              at,
              needs.map((need) => nodes[need] as Delayed<number>),
            ),
          );
          naive.push(
            needs.map((need) => naive[need] as number).reduce((a, b) => (a * 31 + b) % 1_000_003, at + 1),
          );
        }
        const wanted = [pick % shape.length, shape.length - 1];
        const results = await computeAll(
          { first: nodes[wanted[0] as number] as Delayed<number>, last: nodes.at(-1) as Delayed<number> },
          { pool },
        );
        assert.deepEqual(
          Object.values(results),
          wanted.map((at) => naive[at]),
        );
        const needed = new Set(wanted);
        for (let at = shape.length - 1; at > 0; at--)
          if (needed.has(at)) for (const edge of shape[at] ?? []) needed.add(edge % at);
        assert.deepEqual(
          [...calls],
          shape.map((_, at) => (needed.has(at) ? 1 : 0)),
        );
      }),
      { numRuns: runs(60) },
    );
  });

  test("calls that do not need each other run at once", async () => {
    const meet = delayed(
      async (flags: Int32Array, at: number) => {
        Atomics.store(flags, at, 1);
        Atomics.notify(flags, at);
        return Atomics.wait(flags, 1 - at, 0, 20_000);
      },
      { name: "meet" },
    );
    const flags = countsOf(2);
    const met = await computeAll({ a: meet(flags, 0), b: meet(flags, 1) }, { pool });
    assert.ok(!Object.values(met).includes("timed-out"));
  });

  test("a chain and a fan of 20,000 calls need no stack", async () => {
    let chain = square(1);
    for (let n = 1; n < 20_000; n++) chain = add(chain, 1);
    assert.equal(await chain.compute({ pool }), 20_000);
    assert.equal(await total(Array.from({ length: 20_000 }, () => square(1))).compute({ pool }), 20_000);
  });

  test("arguments are taken at the call", async () => {
    const list = [1, 2];
    const holder = { inner: { x: 1 }, other: square(3) };
    const bytes = new Uint8Array([1]);
    const sum = total(list);
    const echoed = echo(holder);
    const kept = echo(bytes);
    list.push(100);
    holder.inner.x = 2;
    bytes[0] = 9;
    assert.equal(await sum.compute({ pool }), 3);
    assert.deepEqual(await echoed.compute({ pool }), { inner: { x: 1 }, other: 9 });
    assert.deepEqual(await kept.compute({ pool }), new Uint8Array([1]));
  });

  test("a function that changes its argument changes nothing for others, wherever it runs", async () => {
    const push = delayed(
      (list: number[]) => {
        list.push(1);
        return list;
      },
      { name: "push" },
    );
    const base = echo([0]) as Delayed<number[]>;
    for (let round = 0; round < 3; round++) {
      const all = await computeAll(
        Object.fromEntries(Array.from({ length: 50 }, (_, at) => [at, push(base)])),
        { pool },
      );
      for (const each of Object.values(all)) assert.deepEqual(each, [0, 1]);
      assert.deepEqual(await base.compute({ pool }), [0]);
    }
  });

  test("results may be undefined, null, and under any name", async () => {
    const nothing = delayed((value: undefined | null) => value, { name: "nothing" });
    const results = await computeAll(
      Object.fromEntries([
        ["__proto__", nothing(undefined)] as const,
        ["constructor", nothing(null)] as const,
      ]),
      { pool },
    );
    assert.deepEqual(Object.entries(results), [
      ["__proto__", undefined],
      ["constructor", null],
    ]);
    const names = echo(JSON.parse('{"__proto__": {"polluted": 1}}') as unknown);
    assert.equal(JSON.stringify(await names.compute({ pool })), '{"__proto__":{"polluted":1}}');
    const inside = await echo({ ["__proto__"]: 1, x: square(2) }).compute({ pool });
    assert.equal(JSON.stringify(inside), '{"__proto__":1,"x":4}');
  });

  test("an object in two places of an argument stays one, and a ring stays a ring", async () => {
    const shared = { x: square(2) };
    const ring: { self?: unknown; x: unknown } = { x: square(2) };
    ring.self = ring;
    const both = (await echo([shared, shared]).compute({ pool })) as unknown[];
    assert.equal(both[0], both[1]);
    const back = (await echo(ring).compute({ pool })) as { self: unknown; x: number };
    assert.equal(back.self, back);
    assert.equal(back.x, 4);
  });

  test("refs go along, and results that are refs too", async () => {
    using ref = put(new Float64Array([1, 2, 3]));
    const sum = delayed(sumOfRef, { name: "sum" });
    const make = delayed(makeRef, { name: "make" });
    assert.equal(await sum(ref).compute({ pool }), 6);
    assert.equal(await sum(make(4)).compute({ pool }), 8);
  });

  test("a call with a key is made once for each key", async () => {
    const calls = countsOf(2);
    const load = delayed(counted, { name: "load", key: (_: unknown, at: unknown) => String(at) });
    assert.equal(load(calls, 0, []), load(calls, 0, []));
    assert.deepEqual(
      await total([load(calls, 0, []), load(calls, 1, []), load(calls, 0, [])]).compute({ pool }),
      4,
    );
    assert.deepEqual([...calls], [1, 1]);
    const wrong = delayed((x: number) => x, { key: (() => 7) as unknown as () => string });
    assert.throws(() => wrong(1), { code: "delayed.key" });
  });

  test("an error names the call and the way to it, has what was thrown as its cause, and what waits is not made", async () => {
    const calls = countsOf(1);
    const failing = delayed(
      (how: string): number => {
        if (how === "error") throw new RangeError("it is full.");
        throw how === "undefined" ? undefined : how;
      },
      { name: "failing" },
    );
    const count = delayed(counted, { name: "count" });
    const tree = add(square(add(failing("error"), 1)), count(calls, 0, [failing("x")]));
    const error = await tree.compute({ pool }).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof DelayedError);
    const path = await square(add(failing("error"), 1))
      .compute({ pool })
      .catch((thrown: unknown) => thrown);
    assert.ok(path instanceof DelayedError && path.cause instanceof RangeError);
    assert.deepEqual(path.path, ["square", "add", "failing"]);
    assert.equal(
      path.message,
      "The delayed failing failed: it is full. It is part of square → add → failing.",
    );
    assert.deepEqual([...calls], [0]);
    for (const how of ["undefined", "a text"]) {
      const odd = await failing(how)
        .compute({ pool })
        .catch((thrown: unknown) => thrown);
      assert.ok(odd instanceof DelayedError);
      assert.equal(odd.cause, how === "undefined" ? undefined : how);
      assert.equal(odd.message, `The delayed failing failed: ${how}.`);
    }
    let long: Delayed<number> = failing("error");
    for (let n = 0; n < 2_000; n++) long = square(long);
    await assert.rejects(long.compute({ pool }), {
      message:
        "The delayed failing failed: it is full. It is part of square → square → square → … 1,995 more … → square → square → failing.",
    });
  });

  test("whatever is thrown, in a worker or in the caller's thread, is an error that names the call", async () => {
    const odd = delayed(throwStrange, { name: "odd" });
    for (const round of ["in a worker", "in the caller's thread"]) {
      for (const name of Object.keys(strangeValues)) {
        const error = await total([odd(name), odd("nothing")])
          .compute({ pool })
          .catch((thrown: unknown) => thrown);
        assert.ok(error instanceof DelayedError, `${name}, ${round}`);
        assert.deepEqual(error.path, ["total", "odd"]);
        assert.match(error.message, /^The delayed odd failed: .*\. It is part of total → odd\.$/s);
      }
      // From now on it is known to cost next to nothing.
      assert.equal(await total(Array.from({ length: 200 }, () => odd("nothing"))).compute({ pool }), 200);
    }
  });

  test("a failure that no worker can send is one like any other", async () => {
    const odd = delayed(() => () => 1, { name: "odd" });
    await assert.rejects(odd().compute({ pool }), { code: "delayed.failed" });
    const dead = delayed(() => process.exit(3), { name: "dead" });
    await assert.rejects(dead().compute({ pool }), { code: "delayed.failed" });
    const slow = delayed(
      () => {
        for (;;) {}
      },
      { name: "slow" },
    );
    await assert.rejects(slow().compute({ timeout: "50ms" }), {
      message: "The delayed slow failed: it ran longer than its timeout.",
    });
  });

  test("a signal stops it, and its own workers with it", async () => {
    const flags = countsOf(1);
    const hang = delayed(
      (flags: Int32Array) => {
        Atomics.add(flags, 0, 1);
        for (;;) {}
      },
      { name: "hang" },
    );
    const controller = new AbortController();
    const computed = hang(flags).compute({ signal: controller.signal });
    while (Atomics.load(flags, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error("enough"));
    await assert.rejects(computed, { message: "enough" });
    await assert.rejects(hang(flags).compute({ signal: AbortSignal.abort("before") }), (e) => e === "before");
    assert.deepEqual([...flags], [1]);
  });

  test("results that wait go to files past the memory, and come back whole", async () => {
    const make = delayed((n: number) => ({ n, data: new Float64Array(20_000).fill(n) }), { name: "make" });
    const check = delayed(
      (parts: readonly { n: number; data: Float64Array }[]) =>
        parts.every(({ n, data }, at) => n === at && data.length === 20_000 && data.every((x) => x === n)),
      { name: "check" },
    );
    const parts = Array.from({ length: 30 }, (_, at) => make(at));
    const files = () => readdirSync(privateDirectory(tmpdir())).filter((name) => name.startsWith("delayed-"));
    const most: number[] = [];
    const onProgress = () => void most.push(files().length);
    assert.equal(await check(parts).compute({ pool, memory: "1MB", onProgress }), true);
    assert.ok(Math.max(...most) > 10, "results went to files");
    while (files().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("few results wait: a sum in pairs holds one part a level", async () => {
    const waiting = countsOf(2);
    const leaf = delayed(
      (state: Int32Array) => {
        const now = Atomics.add(state, 0, 1) + 1;
        if (now > Atomics.load(state, 1)) Atomics.store(state, 1, now);
        return 1;
      },
      { name: "leaf" },
    );
    const pair = delayed(
      (state: Int32Array, a: number, b: number) => {
        Atomics.sub(state, 0, 1);
        return a + b;
      },
      { name: "pair" },
    );
    let level = Array.from({ length: 256 }, () => leaf(waiting));
    while (level.length > 1)
      level = Array.from({ length: level.length / 2 }, (_, at) =>
        pair(waiting, level[2 * at] as Delayed<number>, level[2 * at + 1] as Delayed<number>),
      );
    assert.equal(await level[0]?.compute({ pool, concurrency: 1 }), 256);
    assert.equal(waiting[0], 1);
    // One a level, and what is under way.
    assert.ok((waiting[1] ?? 0) <= 12, `${waiting[1]}`);
  });

  test("in a pool of processes it is the same", async () => {
    await using processes = new Pool({ isolate: "process", workers: 1 });
    const nested = echo({ list: [square(2), new Uint8Array([1])] });
    assert.deepEqual(await nested.compute({ pool: processes }), { list: [4, new Uint8Array([1])] });
    const failing = delayed((x: number): number => {
      throw new RangeError(`${x} is too much`);
    });
    await assert.rejects(failing(3).compute({ pool: processes }), {
      message: /^The delayed \(x ?\) => \{ throw new .*… failed: 3 is too much\.$/,
    });
  });

  test("progress counts to the end", async () => {
    const told: { done: number; total: number }[] = [];
    await add(square(1), square(2)).compute({ pool, onProgress: (progress) => void told.push(progress) });
    const last = told.at(-1);
    assert.deepEqual([last?.done, last?.total], [3, 3]);
    const failing = square(1).compute({
      pool,
      onProgress: () => {
        throw new Error("of the listener");
      },
    });
    await assert.rejects(failing, { message: "of the listener" });
  });

  test("never more calls at once than asked for in a pool that is shared", async () => {
    const calls = countsOf(2);
    const within = delayed(
      (state: Int32Array) => {
        const now = Atomics.add(state, 0, 1) + 1;
        if (now > Atomics.load(state, 1)) Atomics.store(state, 1, now);
        Atomics.wait(state, 0, -1, 2);
        Atomics.sub(state, 0, 1);
        return 1;
      },
      { name: "within" },
    );
    await total(Array.from({ length: 20 }, () => within(calls))).compute({ pool, concurrency: 1 });
    assert.equal(calls[1], 1);
  });
});

test("what cannot be is refused where it is given", async () => {
  const outside = 3;
  assert.throws(() => delayed((x: number) => x + outside), { code: "pool.captured" });
  assert.throws(() => echo(() => 1), {
    code: "delayed.argument",
    message: /^Argument 1 of the delayed echo/,
  });
  assert.throws(() => echo(Promise.resolve(1)), { message: /await it first/ });
  assert.throws(() => echo([square(1), Symbol("x")]), { code: "delayed.argument" });
  assert.throws(() => echo(new URL("https://a.example")), { code: "delayed.argument" });
  assert.throws(() => delayed((x: number) => x, { nam: "x" } as object), { code: "argument.option" });
  assert.throws(() => delayed((x: number) => x, { name: 3 } as object), { code: "delayed.option" });
  for (const [options, code] of [
    [{ concurency: 1 }, "argument.option"],
    [{ concurrency: 0 }, "delayed.option"],
    [{ memory: "much" }, "argument.size"],
    [{ timeout: "soon" }, "argument.duration"],
    [{ pool: {} }, "delayed.option"],
    [{ signal: {} }, "delayed.option"],
    [{ onProgress: 1 }, "delayed.option"],
  ] as const)
    await assert.rejects(square(1).compute(options as object), { code });
  await assert.rejects(computeAll({ x: 1 } as never), { code: "data.compute-all" });
  await assert.rejects(computeAll(null as never), { code: "argument.object" });
  assert.deepEqual(await computeAll({}), {});
});

test("a delayed value says what it is, and cannot be sent anywhere", () => {
  assert.equal(inspect(square(1)), "Delayed(square)");
  assert.throws(() => structuredClone(square(1)), { name: "DataCloneError" });
});

test("types: types without an end, optional and rest arguments, unions and any are taken as they are", () => {
  type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
  const json = delayed((x: Json) => x, { name: "json" });
  const many = delayed(
    (x: Map<string, number>, _y?: Float64Array, ...rest: number[]) => x.size + rest.length,
    {
      name: "many",
    },
  );
  const pair = delayed((x: readonly [number, string]) => x[0], { name: "pair" });
  const anything = delayed((x: unknown) => x, { name: "anything" });
  // biome-ignore lint/suspicious/noExplicitAny: it is what is tested.
  const any = delayed((x: any) => x as unknown, { name: "any" });
  const made: Delayed<number> = delayed(() => 1, { name: "made" })();
  const all: readonly Delayed<unknown>[] = [
    json({ a: [1, { b: json("x") }] }),
    json(json(1)),
    many(new Map([["a", 1]]), new Float64Array(3), 1, made),
    many(new Map()),
    pair([made, "x"]),
    anything({ deep: [made] }),
    any(made),
  ];
  assert.equal(all.length, 7);
});

test("types: an argument takes a value or a delayed one, and a result has the type of its function", () => {
  const answer: Delayed<number> = add(1, square(2));
  const later: Delayed<string> = delayed(async (x: number) => String(x))(square(2));
  const flag = delayed((x: boolean) => x)(delayed((): boolean => true)());
  const lists: Delayable<{ readonly a: readonly number[] }> = { a: [1, square(2)] };
  // @ts-expect-error a text is not a number
  const wrong = add("1", 2);
  // @ts-expect-error neither is a delayed one
  const alsoWrong = add(later, 2);
  // @ts-expect-error an argument is missing
  const few = add(1);
  // @ts-expect-error the result is a number
  const text: Delayed<string> = answer;
  assert.ok([answer, later, flag, lists, wrong, alsoWrong, few, text].every((each) => each !== undefined));
});
