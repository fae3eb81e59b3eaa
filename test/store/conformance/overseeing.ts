import assert from "node:assert/strict";
import { test } from "node:test";
import type { Heartbeat, Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask, settle } from "./tasks.ts";

const worker: Heartbeat = {
  id: "host-1-x",
  host: "host",
  pid: 1,
  queues: ["q", "r"],
  slots: 4,
  memory: 5_000_000_000,
  running: ["t"],
  rates: { q: 12.5 },
  state: "running",
};

/** Who works, and what happens to tasks. */
export function overseeing(current: Current): void {
  test("a worker is known from its first word to its last, or until it falls silent", async () => {
    const { store, reopen, clock } = current();
    const began = clock.wall();
    await store.heartbeat(worker);
    clock.advance(1_000);
    await store.heartbeat({ ...worker, id: "a-2", pid: 2 });
    await store.heartbeat({ ...worker, running: [], rates: {}, state: "draining" });
    const first = {
      ...worker,
      running: [],
      rates: {},
      state: "draining",
      startedAt: began,
      seenAt: began + 1_000,
    };
    const other = { ...worker, id: "a-2", pid: 2, startedAt: began + 1_000, seenAt: began + 1_000 };
    assert.deepEqual(await (await reopen()).workers(5_000), [other, first]);
    clock.advance(5_000);
    await store.heartbeat({ ...worker, id: "a-2", pid: 2 });
    assert.deepEqual(ids(await store.workers(4_999)), ["a-2"]);
    assert.deepEqual(ids(await store.workers(5_000)), ["a-2", "host-1-x"]);
    await store.removeWorker("a-2");
    await store.removeWorker("nobody");
    assert.deepEqual(ids(await store.workers(5_000)), ["host-1-x"]);
  });

  test("changes are kept while they are asked for, and told in order", async () => {
    const { store, reopen, clock } = current();
    await store.enqueue([newTask("before")]);
    const start = await store.changes(null, 10);
    assert.deepEqual(start.changes, []);
    await store.enqueue([newTask("still before")]);
    assert.deepEqual(await store.changes(start.last, 10), { changes: [], last: start.last });
    await store.recordChanges(1_000);
    const other = await reopen();
    const at = clock.wall();
    await other.enqueue([newTask("t", { name: "mail", queue: "r", flow: "g" })]);
    const [claim] = await store.claim({ queues: ["r"], n: 1, leaseMs: 100, worker: "w" });
    assert.ok(claim);
    clock.advance(10);
    await settle(store, claim, { state: "succeeded" });
    const { changes, last } = await other.changes(start.last, 10);
    const common = { task: "t", name: "mail", queue: "r", flow: "g" };
    assert.deepEqual(
      changes.map(({ number: _, ...change }) => change),
      [
        { ...common, at, state: "waiting", fence: 0 },
        { ...common, at, state: "leased", fence: 1 },
        { ...common, at: at + 10, state: "succeeded", fence: 1 },
      ],
    );
    assert.equal(last, changes[2]?.number);
    assert.ok(changes.every(({ number }, n) => n === 0 || number > (changes[n - 1]?.number ?? 0)));
    assert.deepEqual(await store.changes(start.last, 2), {
      changes: changes.slice(0, 2),
      last: changes[1]?.number,
    });
    assert.deepEqual(await store.changes(last, 2), { changes: [], last });
    assert.deepEqual(await store.changes(null, 2), { changes: [], last });
  });

  test("recording ends by itself, and a shorter one does not end a longer one", async () => {
    const { store, clock } = current();
    const { last } = await store.changes(null, 1);
    await store.recordChanges(1_000);
    await store.recordChanges(10);
    clock.advance(999);
    await store.enqueue([newTask("a")]);
    clock.advance(1);
    await store.enqueue([newTask("b")]);
    assert.deepEqual(
      (await store.changes(last, 9)).changes.map(({ task }) => task),
      ["a"],
    );
  });

  test("every way to another state is recorded", async () => {
    const { store, clock } = current();
    await store.recordChanges(1e6);
    const seen = async (expected: readonly string[], change: () => Promise<unknown>) => {
      const { last } = await store.changes(null, 1);
      await change();
      const { changes } = await store.changes(last, 99);
      assert.deepEqual(changes.map(({ task, state }) => `${task} ${state}`).sort(), expected);
    };
    await seen(["a waiting", "b waiting", "callback waiting", "m waiting"], () =>
      store.enqueue(
        [
          newTask("m", { childOf: { group: "j", index: 0 } }),
          newTask("callback", { held: true }),
          newTask("a"),
          newTask("b", { expiresMs: 500 }),
        ],
        { groups: [{ id: "j", children: 1, need: "all", callback: "callback" }] },
      ),
    );
    await seen(["m leased"], () => claimOf(store));
    await seen(["callback dead", "m dead"], () => store.sweep({ deadWorkers: ["w1"], poisonAfter: 1 }));
    await seen(["callback waiting", "m waiting"], () => store.makeClaimable({ ids: ["m"] }));
    await seen(["a cancelled"], () => store.requestCancel({ ids: ["a"] }));
    clock.advance(500);
    await seen(["b cancelled"], () => store.sweep({ poisonAfter: 1 }));
    await seen(["m leased"], () => claimOf(store));
    await seen(["m succeeded", "next waiting"], () => settleWithNext(store));
  });
}

async function settleWithNext(store: Store): Promise<void> {
  const [task] = await store.query({ ids: ["m"] });
  assert.ok(task);
  const result = { state: "succeeded", next: [newTask("next", { held: true })] } as const;
  await store.settle([{ id: "m", fence: task.fence, result }]);
}
