import assert from "node:assert/strict";
import { test } from "node:test";
import type { BucketRate, Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask, settle, taskOf } from "./tasks.ts";

const request = { queues: ["q"], n: 100, leaseMs: 60_000, worker: "w" };

function rate(bucket: string, intervalMs: number, burst = 1): BucketRate {
  return { bucket, intervalMs, burst };
}

async function fill(store: Store, bucket: string, count: number, queue = "q"): Promise<void> {
  await store.enqueue(
    Array.from({ length: count }, (_, n) => newTask(`${queue}.${bucket}.${n}`, { bucket, queue })),
  );
}

/** Buckets and their rates. */
export function limiting(current: Current): void {
  test("tasks of a bucket are claimed only by requests that name it", async () => {
    const { store } = current();
    await store.enqueue([newTask("plain"), newTask("slow", { bucket: "l" })]);
    assert.equal((await taskOf(store, "slow")).bucket, "l");
    assert.deepEqual(ids(await store.claim(request)), ["plain"]);
    assert.equal(await store.claimableInMs(["q"]), 60_000, "only the lease");
    assert.deepEqual(await store.claim({ ...request, buckets: [rate("other", 10)] }), []);
    assert.equal(await store.claimableInMs(["q"], [rate("l", 10)]), 0);
    assert.deepEqual(ids(await store.claim({ ...request, buckets: [rate("l", 10)] })), ["slow"]);
  });

  test("a bucket gives a burst after a rest and then one task an interval", async () => {
    const { store, clock } = current();
    await fill(store, "l", 20);
    const buckets = [rate("l", 100, 3)];
    const claim = async () => (await store.claim({ ...request, buckets })).length;
    assert.equal(await claim(), 3);
    assert.equal(await store.claimableInMs(["q"], buckets), 100);
    clock.advance(99);
    assert.equal(await claim(), 0);
    assert.equal(await store.claimableInMs(["q"], buckets), 1);
    clock.advance(1);
    assert.equal(await store.claimableInMs(["q"], buckets), 0);
    assert.equal(await claim(), 1);
    clock.advance(250);
    assert.equal(await claim(), 2);
    clock.advance(1_000_000);
    assert.equal(await claim(), 3);
  });

  test("a fraction of an interval counts", async () => {
    const { store, clock } = current();
    await fill(store, "l", 100);
    const buckets = [rate("l", 10 / 3)];
    let claimed = 0;
    for (let ms = 0; ms < 160; ms++) {
      claimed += (await store.claim({ ...request, buckets })).length;
      clock.advance(1);
    }
    // One at once, and one each time a third of 10 ms is over, but for what looking each millisecond misses.
    assert.ok(claimed <= 49 && claimed >= 39, `${claimed}`);
  });

  test("over any time no more are claimed than the burst and one an interval", async () => {
    const { store, clock } = current();
    await fill(store, "l", 150);
    const buckets = [rate("l", 37.5, 4)];
    const starts: number[] = [];
    const begin = clock.wall();
    for (let step = 0; step < 70; step++) {
      const n = 1 + (step % 3);
      for (const _ of await store.claim({ ...request, n, buckets })) starts.push(clock.wall() - begin);
      clock.advance((step * 7919) % 61);
    }
    assert.ok(starts.length > 35, "they are claimed at about the rate");
    for (const [i, from] of starts.entries()) {
      for (const [j, to] of starts.entries()) {
        if (j >= i) assert.ok(j - i + 1 <= 4 + (to - from) / 37.5 + 1e-6, `${j - i + 1} in ${to - from} ms`);
      }
    }
  });

  test("a rate holds over all workers, openings and queues together", async () => {
    const { store, reopen, clock } = current();
    const other = await reopen();
    await fill(store, "l", 5);
    await fill(store, "l", 5, "r");
    const buckets = [rate("l", 100, 2)];
    const both = { ...request, queues: ["q", "r"], buckets };
    assert.deepEqual(ids(await store.claim(both)), ["q.l.0", "q.l.1"]);
    assert.deepEqual(await other.claim({ ...both, worker: "w2" }), []);
    clock.advance(100);
    assert.equal((await other.claim({ ...request, queues: ["r"], buckets, worker: "w2" })).length, 1);
    assert.deepEqual(await store.claim(both), []);
  });

  test("the latest claim's word on a rate holds", async () => {
    const { store, clock } = current();
    await fill(store, "l", 9);
    const claim = async (bucket: BucketRate) => (await store.claim({ ...request, buckets: [bucket] })).length;
    assert.equal(await claim(rate("l", 3_600_000)), 1);
    clock.advance(100);
    assert.equal(await claim(rate("l", 3_600_000)), 0);
    assert.equal(await claim(rate("l", 1_000, 2)), 0);
    clock.advance(1_000);
    assert.equal(await claim(rate("l", 1_000, 2)), 1, "an hour that was used ahead is forgotten");
    await assert.rejects(claim(rate("l", 0)), RangeError);
    await assert.rejects(claim(rate("l", 10, 0)), RangeError);
  });

  test("buckets and the tasks beside them are claimed in one order", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("a", { bucket: "l" }), newTask("b"), newTask("c", { bucket: "l" })]);
    clock.advance(1);
    await store.enqueue([
      newTask("d", { bucket: "m" }),
      newTask("e"),
      newTask("high", { bucket: "m", priority: 5 }),
      newTask("later", { bucket: "l", delayMs: 5, priority: 9 }),
    ]);
    const buckets = [rate("l", 10, 1), rate("m", 10, 9)];
    assert.deepEqual(ids(await store.claim({ ...request, n: 3, buckets })), ["high", "a", "b"]);
    assert.deepEqual(ids(await store.claim({ ...request, n: 9, buckets })), ["d", "e"]);
    clock.advance(20);
    assert.deepEqual(ids(await store.claim({ ...request, n: 9, buckets })), ["later"]);
  });

  test("a claim that comes back empty uses nothing of the rate", async () => {
    const { store } = current();
    const buckets = [rate("l", 1_000)];
    assert.deepEqual(await store.claim({ ...request, buckets }), []);
    await fill(store, "l", 2);
    assert.deepEqual(await store.claim({ ...request, n: 0, buckets }), []);
    assert.equal((await store.claim({ ...request, buckets })).length, 1);
  });

  test("a task of a bucket that is handed back waits in its bucket again", async () => {
    const { store, clock } = current();
    await fill(store, "l", 1);
    const buckets = [rate("l", 100)];
    const [claim] = await store.claim({ ...request, buckets });
    assert.ok(claim);
    await settle(store, claim, { state: "retry", delayMs: 0, error: "again" });
    assert.deepEqual(await claimOf(store, 9), []);
    assert.equal(await store.claimableInMs(["q"], buckets), 100);
    clock.advance(100);
    assert.equal((await store.claim({ ...request, buckets }))[0]?.fence, 2);
  });
}
