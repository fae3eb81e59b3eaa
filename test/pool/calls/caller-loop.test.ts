import assert from "node:assert/strict";
import { test } from "node:test";
import { runBesideWorkers } from "../../../src/pool/calls/caller-loop.ts";
import { Cost } from "../../../src/pool/calls/cost.ts";
import type { Settled } from "../../../src/pool/calls/item-result.ts";
import { MapWork } from "../../../src/pool/calls/map.ts";
import { type Call, ItemQueue } from "../../../src/pool/calls/work-queue.ts";
import type { ItemContext } from "../../../src/pool/options.ts";

const never = new AbortController().signal;

/** A map over numbers whose items are known to take so many milliseconds. */
function mapOf(length: number, itemMs: number, { collect = false, spread = false, from = 0 } = {}) {
  const cost = new Cost();
  cost.observe(1, itemMs);
  const call: Call = {
    number: 0,
    reference: { kind: "inline", source: "x => x" },
    name: "",
    spread,
    limit: null,
    crashRetries: 0,
    chunkSize: null,
    cost,
  };
  const items = Array.from({ length }, (_, at) => (spread ? [at, at] : at));
  const work = new MapWork(call, ItemQueue.of(items), collect);
  if (from > 0) work.count(work.take(from).items.length);
  return { work, results: work.results };
}

test("the caller's thread does items until the workers are at it", async (t) => {
  const { work, results } = mapOf(100, 0.1, { from: 3 });
  let done = 0;
  // The clock of this test: each item takes as long as it is said to, however busy the machine is.
  let now = performance.now();
  t.mock.method(performance, "now", () => now);
  const fn = (x: number) => {
    now += 0.1;
    done++;
    return x * 2;
  };
  await runBesideWorkers({ fn, work, signal: never, enough: () => done >= 50 });
  assert.ok(done >= 50 && done < 97, String(done));
  assert.deepEqual(
    results.slice(3, 3 + done),
    Array.from({ length: done }, (_, at) => (at + 3) * 2),
  );
  assert.equal(work.left, 97 - done);
  await runBesideWorkers({ fn, work, signal: never, enough: () => false });
  await work.finished();
  assert.equal(done, 97);
});

test("promises are waited for, arguments spread, and the context comes last", async () => {
  const { work, results } = mapOf(3, 0.01, { spread: true });
  const seen: number[] = [];
  const fn = async (a: number, b: number, context: ItemContext) => {
    seen.push(context.index);
    return a + b;
  };
  await runBesideWorkers({ fn, work, signal: never, enough: () => false });
  await work.finished();
  assert.deepEqual(results, [0, 2, 4]);
  assert.deepEqual(seen, [0, 1, 2]);
});

test("an error is its item's, and ends a map that does not collect errors", async () => {
  const fn = (x: number) => {
    if (x % 2 === 1) throw new RangeError(`odd ${x}`);
    return x;
  };
  const failing = mapOf(10, 0.01);
  await runBesideWorkers({ fn, work: failing.work, signal: never, enough: () => false });
  await assert.rejects(failing.work.finished(), { name: "RangeError", message: "odd 1", index: 1 });
  assert.equal(failing.work.ready, 0);
  const collecting = mapOf(4, 0.01, { collect: true });
  await runBesideWorkers({ fn, work: collecting.work, signal: never, enough: () => false });
  await collecting.work.finished();
  const statuses = (collecting.results as Settled<number>[]).map(({ status }) => status);
  assert.deepEqual(statuses, ["fulfilled", "rejected", "fulfilled", "rejected"]);
});

test("items that would block the loop are left to the workers", async () => {
  const { work } = mapOf(5, 20);
  const fn = () => assert.fail("not here");
  await runBesideWorkers({ fn, work, signal: never, enough: () => false });
  assert.equal(work.left, 5);
});
