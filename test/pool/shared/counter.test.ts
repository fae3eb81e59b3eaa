import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter } from "../../../src/pool/index.ts";
import { pack } from "../../../src/pool/transfer/pack.ts";
import { thread } from "./worker.ts";

test("no change of any thread is lost", async (t) => {
  const counter = new Counter(10);
  await Promise.all(Array.from({ length: 3 }, () => thread(t).ask("count", counter, 20_000)));
  assert.equal(counter.value, 10 + 3 * 20_000);
});

test("a counter tells what it held before or holds after", () => {
  const counter = new Counter();
  assert.deepEqual([counter.add(), counter.add(5), counter.sub(), counter.sub(10)], [1, 6, 5, -5]);
  assert.deepEqual([counter.exchange(7), counter.value], [-5, 7]);
  assert.deepEqual([counter.compareExchange(1, 2), counter.value], [7, 7]);
  assert.deepEqual([counter.compareExchange(7, 2), counter.value], [7, 2]);
});

test("a number that cannot be told exactly is named", () => {
  const range = { name: "PawlError", code: "pool.counter-range" };
  const counter = new Counter(Number.MAX_SAFE_INTEGER);
  assert.throws(() => counter.add(0.5), range);
  assert.throws(() => new Counter(2 ** 53), range);
  assert.throws(() => counter.add(1), range);
  assert.throws(() => counter.value, range);
  assert.equal(counter.sub(1), Number.MAX_SAFE_INTEGER);
});

test("a counter does not go to a process", () => {
  assert.throws(() => pack(new Counter(), "process"), { code: "pool.shared-process" });
});
