import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { PoolFuture } from "../../src/pool/future.ts";
import {
  actor,
  asCompleted,
  control,
  each,
  type Future,
  Lock,
  Pool,
  WorkerDiedError,
  wait,
} from "../../src/pool/index.ts";
import { Tally } from "./actor/fixtures/classes.ts";
import { deadly } from "./fixtures/tasks.ts";

const owner = { cancel: () => false };

test("a result is waited for as long as the timeout says, however long that is", async () => {
  for (const timeout of [Number.POSITIVE_INFINITY, Number.MAX_VALUE, 2 ** 31, 2 ** 31 - 1]) {
    const future = new PoolFuture<number>(owner, 0);
    const result = future.result({ timeout });
    const waited = wait([future], { timeout });
    for (let turns = 0; turns < 20; turns++) await turn();
    future.settle({ value: 7 });
    assert.equal(await result, 7);
    assert.deepEqual(await waited, { done: [future], pending: [] });
  }
  const future = new PoolFuture<number>(owner, 0);
  await assert.rejects(future.result({ timeout: 0 }), { code: "pool.waited" });
  assert.deepEqual(await wait([future], { timeout: 1 }), { done: [], pending: [future] });
});

test("a time that is none is refused wherever one is given", async () => {
  await using pool = new Pool({ workers: 1 });
  const double = (x: number) => x * 2;
  const future = pool.submit(double, 1);
  await using tally = await actor(Tally, []);
  for (const none of [Number.NaN, -1, Number.NEGATIVE_INFINITY, "5" as unknown as number]) {
    await assert.rejects(future.result({ timeout: none }), { code: "argument.duration" });
    await assert.rejects(wait([future], { timeout: none }), { code: "argument.duration" });
    await assert.rejects(pool.map(double, [1], { timeout: none }), { code: "argument.duration" });
    await assert.rejects(pool.map(double, [1], { timeout: { soft: none, hard: 10 } }), {
      code: "argument.duration",
    });
    assert.throws(() => pool.submitWith({ timeout: { hard: none } }, double, 1), {
      code: "argument.duration",
    });
    assert.throws(() => new Pool({ idle: none }), { code: "argument.duration" });
    assert.throws(() => new Pool({ startTimeout: none }), { code: "argument.duration" });
    await assert.rejects(actor(Tally, [], { timeout: none }), { code: "argument.duration" });
    await assert.rejects(actor(Tally, [], { startTimeout: none }), { code: "argument.duration" });
    assert.throws(() => control(tally).with({ timeout: none }), { code: "argument.duration" });
    assert.throws(() => control(tally).with({ timeout: { soft: none, hard: 5 } }), {
      code: "argument.duration",
    });
    assert.throws(() => new Lock().lock({ timeout: none }), { code: "argument.duration" });
    assert.throws(() => each([1], double, { timeout: none }), { code: "argument.duration" });
  }
});

test("times that no timer can hold do not end anything", async () => {
  await using pool = new Pool({ workers: 1, idle: Number.POSITIVE_INFINITY, startTimeout: 2 ** 40 });
  const double = (x: number) => x * 2;
  for (const timeout of [Number.POSITIVE_INFINITY, 2 ** 31, { soft: 2 ** 32, hard: Number.MAX_VALUE }]) {
    assert.deepEqual(await pool.map(double, [1, 2], { timeout }), [2, 4]);
    await using tally = await actor(Tally, [], { timeout, startTimeout: 2 ** 40 });
    assert.equal(typeof control(tally).stats()[0]?.calls, "number");
  }
  assert.deepEqual(await each([1], double, { timeout: Number.POSITIVE_INFINITY }), [2]);
});

test("a hundred thousand futures that have ended are told one after the other", async () => {
  const futures = Array.from({ length: 100_000 }, (_, index) => new PoolFuture<number>(owner, index));
  for (const [at, future] of futures.entries()) {
    if (at % 3 === 0) future.settle({ error: new Error("no") });
    else future.settle({ value: at });
  }
  const told: Future<number>[] = [];
  for await (const future of asCompleted(futures)) told.push(future);
  assert.deepEqual(new Set(told), new Set(futures));
});

test("an iteration that collects errors goes on after them, also of workers that died", async () => {
  await using pool = new Pool({ workers: 2 });
  const items = Array.from({ length: 30 }, (_, n) => ({ n, how: n % 10 === 4 ? ("exit" as const) : null }));
  for (const face of ["imap", "imapUnordered"] as const) {
    const good: number[] = [];
    const bad: unknown[] = [];
    for await (const result of pool[face](deadly, items, { errors: "collect", chunkSize: 4 })) {
      if (result.status === "fulfilled") good.push(result.value);
      else bad.push(result.reason);
    }
    assert.ok(bad.every((reason) => reason instanceof WorkerDiedError));
    assert.deepEqual(bad.map((reason) => (reason as { index?: number }).index).sort(), [14, 24, 4]);
    assert.deepEqual(
      good.sort((a, b) => a - b),
      items.filter(({ how }) => how === null).map(({ n }) => n),
    );
  }
});
