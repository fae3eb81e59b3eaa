import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Isolation, Pool, TimeLimitError } from "../../src/pool/index.ts";
import { double, nap, patient, stuck } from "./fixtures/tasks.ts";
import { counts, leaks, native, place, placeAfter } from "./fixtures/trouble.ts";
import { numbers } from "./numbers.ts";

const MB = 1024 * 1024;
test("options that cannot be are refused by name", async () => {
  for (const options of [
    { workers: 0 },
    { workers: 1.5 },
    { isolate: "cloud" as "thread" },
    { maxTasksPerWorker: 0 },
    { maxMemoryPerWorker: Number.NaN },
    { maxHeapPerWorker: -1 },
    { idle: -1 },
    { startTimeout: Number.NaN },
  ]) {
    const [name = ""] = Object.keys(options);
    assert.throws(() => new Pool(options), {
      name: "PawlError",
      message: name === "workers" ? /workers/ : new RegExp(`^The option ${name} must be `),
    });
  }
  await using pool = new Pool({ workers: 1 });
  for (const options of [
    { chunkSize: 0 },
    { chunkSize: -3 },
    { chunkSize: 2.5 },
    { chunkSize: Number.NaN },
    { crashRetries: -1 },
    { timeout: -1 },
    { timeout: Number.NaN },
    { timeout: { soft: -1, hard: 10 } },
    { timeout: { soft: 1, hard: "x" as unknown as number } },
  ]) {
    const code = "timeout" in options ? "argument.duration" : "pool.option";
    await assert.rejects(pool.map(double, [1], options), { code });
    await assert.rejects(pool.imap(double, [1], options).next(), { code });
  }
  assert.throws(() => pool.submitWith({ timeout: Number.NaN }, double, 1), { code: "argument.duration" });
});

test("limits may be without end", async () => {
  const endless = Number.POSITIVE_INFINITY;
  await using pool = new Pool({
    workers: 1,
    idle: endless,
    startTimeout: endless,
    maxTasksPerWorker: endless,
  });
  const warnings: unknown[] = [];
  const heard = (warning: Error) => warnings.push(warning);
  process.on("warning", heard);
  assert.deepEqual(await pool.map(double, [1, 2], { timeout: endless }), [2, 4]);
  assert.deepEqual(await pool.map(double, [1, 2], { timeout: { soft: 2 ** 40, hard: endless } }), [2, 4]);
  await sleep(1);
  process.off("warning", heard);
  assert.deepEqual(warnings, []);
});

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`limits of ${isolate === "thread" ? "threads" : "processes"}`, () => {
    test("a worker runs no more items than it may, however large the chunks", async () => {
      await using pool = new Pool({ workers: 1, isolate, maxTasksPerWorker: 3 });
      const places = await pool.map(place as () => string, numbers(8), { chunkSize: 100 });
      const sizes = Map.groupBy(places, (each) => each).values();
      assert.deepEqual(
        [...sizes].map(({ length }) => length),
        [3, 3, 2],
      );
    });

    for (const what of ["heap", "buffers"] as const) {
      test(`a function that leaks ${what} does not fill the memory, even within one chunk`, async () => {
        // Items of 8 MB; a worker begins with about 50 MB as a process and 10 MB as a thread.
        const [limit, count] = isolate === "process" ? [160 * MB, 42] : [80 * MB, 30];
        await using pool = new Pool({ workers: 1, isolate, maxMemoryPerWorker: limit });
        const items = numbers(count).map(() => [8, what] as [number, typeof what]);
        const told = await pool.starmap(leaks, items, { chunkSize: count });
        assert.equal(told.length, count);
        const most = Math.max(...told.map(({ kept }) => kept));
        assert.ok(most * MB <= limit, `${most} MB were kept by one worker`);
        assert.ok(new Set(told.map(({ worker }) => worker)).size > 2);
      });
    }

    test("a worker that has nothing to do ends, and another does what comes later", async () => {
      await using pool = new Pool({ workers: 1, isolate, idle: 50 });
      const before = await pool.apply(place);
      for (let looks = 0; ; looks++) {
        await sleep(200);
        const now = await pool.apply(place);
        if (now !== before) break;
        assert.ok(looks < 200, "it is still the same");
      }
    });

    test("the time of an item is that of its own execution", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      // They wait for each other far longer than the limit.
      const items = numbers(100).map(() => 25);
      assert.deepEqual(await pool.map(nap, items, { timeout: 2_000 }), items);
      const futures = items.map((ms) => pool.submitWith({ timeout: 2_000 }, nap, ms));
      assert.deepEqual(await Promise.all(futures.map((future) => future.result())), items);
    });

    test("each item of a chunk has its soft limit", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const settled = await pool.map(patient, [60_000, 60_000, 1, 60_000], {
        timeout: { soft: 50, hard: 50_000 },
        errors: "collect",
        chunkSize: 4,
      });
      const told = settled.map((one) =>
        one.status === "fulfilled" ? one.value : (one.reason as Error).name,
      );
      // A busy machine may take its time over the one that is quick.
      if (told[2] === 1) told[2] = "AbortError";
      assert.deepEqual(told, new Array(4).fill("AbortError"));
    });

    test("an item that ignores its soft limit meets the hard one, and its worker is replaced", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const before = await pool.apply(place);
      const settled = await pool.map(stuck, [1, -1, 2], {
        timeout: { soft: 50, hard: 1_000 },
        errors: "collect",
        chunkSize: 3,
      });
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason instanceof TimeLimitError)),
        [1, true, 2],
      );
      assert.notEqual(await pool.apply(place), before);
    });

    test("a call that is to be ended before it has begun takes no other along", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      // Known to be quick, so that they go to the worker together.
      for (const _ of numbers(200)) await pool.apply(placeAfter, 0);
      const before = await pool.apply(place);
      // The first one keeps the worker busy until long after the others have been cancelled.
      const futures = [2_000, ...numbers(20).map(() => 1)].map((ms) => pool.submit(placeAfter, ms));
      await sleep(100);
      for (const future of futures.slice(5, 15)) assert.equal(future.cancel({ kill: true }), true);
      const settled = await Promise.allSettled(futures.map((future) => future.result()));
      // The one that ran meanwhile was not interrupted. Some of the ten may have begun before the worker heard of it.
      assert.deepEqual(settled[0], { status: "fulfilled", value: before });
      const failed = settled.flatMap((one, at) => (one.status === "rejected" ? [[at, one.reason.name]] : []));
      assert.ok(failed.length > 0);
      for (const [at, name] of failed)
        assert.ok(at >= 5 && at < 15 && name === "AbortError", `${at} ${name}`);
    });
  });
}

test("native code in a process is ended at its limit, and the others are unharmed", async () => {
  await using pool = new Pool({ workers: 2, isolate: "process" });
  const settled = await pool.map(native, [1, -1, 2, -1, 3], {
    timeout: 1_000,
    errors: "collect",
    chunkSize: 2,
  });
  assert.deepEqual(
    settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason instanceof TimeLimitError)),
    [1, true, 2, true, 3],
  );
});

test("an item whose worker is ended for its sake runs once", async () => {
  await using pool = new Pool({ workers: 1 });
  const memory = new SharedArrayBuffer(4 * 3);
  const runs = new Int32Array(memory);
  const futures = [0, 1, 2].map((at) => pool.submit(counts, { memory, at, stuck: at === 1 }));
  await Atomics.waitAsync(runs, 1, 0).value;
  assert.equal(futures[1]?.cancel({ kill: true }), true);
  await assert.rejects(futures[1]?.result() ?? Promise.resolve(), { name: "AbortError" });
  assert.equal(await futures[2]?.result(), 2);
  assert.deepEqual([...runs], [1, 1, 1]);
});
