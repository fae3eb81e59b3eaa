import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

const DAMAGED = ["", "{", "undefined", "NaN", '{"a":1}}', "{'a':1}", "\u00a0", "01"];
const COLUMNS = ["payload", "progress", "meta", "result"] as const;
/** No driver can keep it, so nothing is called so. */
const NOWHERE = ["a\0b", "\0", "\ud800", "a\udc00"];

/** What another program wrote into the store, and what none can have written there. */
export function damage(current: Current): void {
  test("a task whose JSON is damaged holds up no other: it is claimed and read with what is wrong with it", async () => {
    const { store, overwrite } = current();
    const marked: string[] = [];
    for (const [n, text] of DAMAGED.entries()) {
      await store.enqueue([newTask(`bad${n}`), newTask(`good${n}`)]);
      marked.push(COLUMNS[n % COLUMNS.length] as string);
      await overwrite(`bad${n}`, COLUMNS[n % COLUMNS.length] as "payload", text);
    }
    const claims = await claimOf(store, 100);
    assert.deepEqual(
      ids(claims),
      DAMAGED.flatMap((_, n) => [`bad${n}`, `good${n}`]),
    );
    for (const { id, task } of [
      ...claims,
      ...(await store.query({ queue: "q" })).map((task) => ({ id: task.id, task })),
    ]) {
      const n = Number(id.replace(/\D+/, ""));
      if (id.startsWith("good")) {
        assert.equal(task.damaged, undefined);
        assert.deepEqual(task.payload, { id });
        continue;
      }
      const column = COLUMNS[n % COLUMNS.length] as (typeof COLUMNS)[number];
      assert.match(task.damaged ?? "", new RegExp(`^Its ${column} in the store is not JSON, [^\\n]+\\.$`));
      assert.equal(task[column], null);
    }
    await store.settle(
      claims.map((claim) => settlement(claim, { state: "dead", error: claim.task.damaged ?? "" })),
    );
    assert.match((await taskOf(store, "bad0")).error ?? "", /^Its payload/);
  });

  test("a child's damaged result is an error that names its task", async () => {
    const { store, overwrite } = current();
    await store.enqueue(
      [newTask("callback", { held: true }), newTask("m", { childOf: { group: "j", index: 0 } })],
      {
        groups: [{ id: "j", children: 1, need: "all", callback: "callback" }],
      },
    );
    const claim = await claimOne(store);
    await settle(store, claim, { state: "succeeded", value: [1] });
    await overwrite("m", "result", "[1");
    await assert.rejects(store.children("j", { limit: 10 }), {
      code: "store.damaged",
      message: /^The result of task m in the store is not JSON, [^\n]+\.$/,
    });
  });

  test("what no store can hold is found nowhere, and no queue is called so", async () => {
    const { store } = current();
    // What some drivers would make of it on the way.
    await store.enqueue(
      ["a", "b", "ab", "\ufffd", "a\ufffd"].map((id) => newTask(id, { queue: "\ufffd", flow: id })),
    );
    for (const text of NOWHERE) {
      assert.deepEqual(ids(await store.query({ ids: [text, "ab"] })), ["ab"]);
      for (const field of ["flow", "queue", "name", "unique", "text"] as const)
        assert.deepEqual(await store.query({ [field]: text }), [], field);
      assert.equal(await store.requestCancel({ flow: text }), 0);
      assert.deepEqual(
        [await store.attempts(text), await store.group(text), await store.children(text, { limit: 1 })],
        [[], undefined, []],
      );
      assert.deepEqual(
        [await store.run(text), await store.runs({ key: text }), await store.runs({ idPrefix: text })],
        [undefined, [], []],
      );
      assert.deepEqual(
        [await store.removeSchedule(text), await store.pauseSchedule(text, true)],
        [false, false],
      );
      await assert.rejects(store.pauseQueue(text, true), { code: "store.unstorable" });
      await assert.rejects(store.enqueue([newTask(text)]), { code: "store.unstorable" });
    }
  });
}
