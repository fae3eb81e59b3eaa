import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimed, ids, newTask, taskOf } from "./tasks.ts";

const request = { queues: ["q"], n: 1, leaseMs: 1_000, worker: "w1" };
const HOURS = 5 * 3_600_000;

/** The clock of the store's machine is set back by hours, because it was wrong before or because it is wrong now. */
export function clockSetBack(current: Current): void {
  test("what could begin before the clock was set back can begin, and a delay ends when the clock shows it", async () => {
    const { store, clock, reopen } = current();
    await store.enqueue(
      [
        newTask("retried"),
        newTask("snoozed"),
        newTask("child", { childOf: { group: "callback", index: 0 } }),
        newTask("callback", { held: true }),
      ],
      {
        groups: [{ id: "callback", children: 1, need: "all", callback: "callback" }],
      },
    );
    const begun = await store.claim({ ...request, n: 3 });
    const lease = (id: string) => begun.find((claim) => claim.id === id) as { id: string; fence: number };
    await store.settle([
      { ...lease("retried"), result: { state: "retry", delayMs: 0, error: "x" } },
      { ...lease("snoozed"), result: { state: "snoozed", delayMs: 2_000 } },
    ]);
    await store.enqueue([newTask("plain"), newTask("delayed", { delayMs: 1_000 })]);
    clock.advance(100);
    await store.settle([{ ...lease("child"), result: { state: "succeeded", value: null } }]);
    clock.setWall(-HOURS);
    const other = await reopen();
    for (const each of [store, other, store]) {
      assert.deepEqual(await each.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    }
    assert.deepEqual(ids(await other.claim({ ...request, n: 9 })).sort(), ["callback", "plain", "retried"]);
    clock.advance(2_000);
    assert.deepEqual(ids(await store.claim({ ...request, n: 9 })), ["snoozed"]);
    assert.equal(((await taskOf(store, "delayed")).due ?? 0) - (await store.now()) > HOURS - 10_000, true);
  });

  test("a lease of before the clock was set back or forward and back runs out in its time, and one that is renewed does not", async () => {
    const { store, clock } = current();
    await claimed(store);
    await store.heartbeat({
      id: "w",
      host: "h",
      pid: 1,
      queues: ["q"],
      slots: 1,
      memory: 1,
      running: [],
      rates: {},
      state: "running",
    });
    clock.setWall(-HOURS);
    await store.sweep({ poisonAfter: 5 });
    clock.advance(999);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, []);
    clock.advance(1);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, ["t"]);
    assert.equal((await store.workers(60_000)).length, 1);
  });

  test("a bucket whose rate is used up goes on at its rate when the clock was set back", async () => {
    const { store, clock } = current();
    const buckets = [{ bucket: "l", intervalMs: 1_000, burst: 1 }];
    await store.enqueue([newTask("a", { bucket: "l" }), newTask("b", { bucket: "l" })]);
    assert.deepEqual(ids(await store.claim({ ...request, buckets })), ["a"]);
    clock.setWall(-HOURS);
    await store.sweep({ poisonAfter: 5 });
    assert.deepEqual(ids(await store.claim({ ...request, buckets })), []);
    clock.advance(1_000);
    assert.equal(await store.claimableInMs(["q"], buckets), 0);
    assert.deepEqual(ids(await store.claim({ ...request, buckets })), ["b"]);
  });
}
