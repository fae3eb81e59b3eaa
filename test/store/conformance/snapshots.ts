import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../../src/store/index.ts";
import { JsonText } from "../../../src/store/internal.ts";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, claimOne, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** What is given is stored as it was at the moment of the call. */
export function snapshots(current: Current): void {
  /** Something that is changed as soon as the call that it was given to has been made. */
  async function given<T>(call: (value: { n: number }) => Promise<T>): Promise<T> {
    const value = { n: 1 };
    const done = call(value);
    value.n = 2;
    return await done;
  }

  test("what is changed after the call is stored as it was, whatever the operation", async () => {
    const { store } = current();
    // Another write goes first, so that these wait.
    const first = store.enqueue([newTask("first")]);
    await given((value) => store.enqueue([newTask("a", { payload: value, meta: value })]));
    await first;
    const { payload, meta } = await taskOf(store, "a");
    assert.deepEqual([payload, meta], [{ n: 1 }, { n: 1 }]);
    await given((value) =>
      store.enqueue(Array.from({ length: 30 }, (_, n) => newTask(`b${n}`, { payload: value }))),
    );
    assert.deepEqual((await taskOf(store, "b29")).payload, { n: 1 });

    await store.requestCancel({ queue: "q" });
    const lease = await claimed(store, "t");
    await given((value) => store.progress([{ ...lease, value }]));
    assert.deepEqual((await taskOf(store)).progress, { n: 1 });
    await given((value) =>
      store.settle([
        settlement(lease, { state: "succeeded", value: value, next: [newTask("next", { payload: value })] }),
      ]),
    );
    assert.deepEqual((await taskOf(store)).result, { n: 1 });
    assert.deepEqual((await taskOf(store, "next")).payload, { n: 1 });

    await given((value) => store.putSchedule({ id: "s", spec: value, task: value, next: 0 }));
    const [schedule] = await store.schedules();
    assert.deepEqual([schedule?.spec, schedule?.task], [{ n: 1 }, { n: 1 }]);
    await given((value) =>
      store.fireSchedule("s", schedule?.version ?? 0, null, [newTask("fired", { payload: value })]),
    );
    assert.deepEqual((await taskOf(store, "fired")).payload, { n: 1 });

    const job = { name: "job", module: null, params: null };
    await given((value) => store.createRun({ id: "r", job, key: "k", identity: value, details: value }));
    await given((value) => store.addSample("r", value));
    const run = await store.run("r");
    assert.deepEqual([run?.identity, run?.details], [{ n: 1 }, { n: 1 }]);
    assert.deepEqual((await store.samples("r"))[0]?.value, { n: 1 });
    await given((value) => store.updateRun("r", ["pending"], { details: value, identity: value }));
    assert.deepEqual((await store.run("r"))?.details, { n: 1 });
  });

  test("JSON that was made before is stored as it stands", async () => {
    const { store } = current();
    const texts = ['{"b":1,"a":[{},"\\u0000\\ud800",-0.5]}', "null", '"text"', "[1,2]"];
    await store.enqueue(texts.map((text, n) => newTask(`t${n}`, { payload: new JsonText(text) })));
    for (const [n, text] of texts.entries()) {
      assert.deepEqual((await taskOf(store, `t${n}`)).payload, JSON.parse(text) as Json);
    }
  });

  test("what is kept with a task may be replaced when it succeeds, and only then", async () => {
    const { store } = current();
    for (const [id, fence] of [
      ["a", 1],
      ["b", 2],
    ] as const) {
      await store.enqueue([newTask(id, { meta: { old: true } })]);
      const claim = await claimOne(store);
      let lease = { id, fence: claim.fence };
      if (fence === 2) {
        await settle(store, lease, { state: "snoozed", delayMs: 0 });
        const [again] = await claimOf(store, 1, "w");
        lease = { id, fence: again?.fence ?? 0 };
      }
      const late = { id, fence: lease.fence - 1 };
      const ended = { state: "succeeded", meta: { kept: id } } as const;
      assert.deepEqual(await settle(store, late, ended), { lost: [id] });
      assert.deepEqual((await taskOf(store, id)).meta, { old: true });
      assert.deepEqual(await settle(store, lease, ended), { lost: [] });
      const { state, meta, result } = await taskOf(store, id);
      assert.deepEqual([state, meta, result], ["succeeded", { kept: id }, null]);
    }
  });
}
