import assert from "node:assert/strict";
import { test } from "node:test";
import { PawlError } from "../../../src/errors.ts";
import type { NewTask, TaskResult } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, claimOne, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

const NEVER = [Number.MAX_SAFE_INTEGER, 2 ** 53, 1e20, Number.MAX_VALUE, Number.POSITIVE_INFINITY];
const NO_DURATION = [-1, -0.5, Number.NaN, Number.NEGATIVE_INFINITY];

const UNSTORABLE: readonly Partial<NewTask>[] = [
  ...NO_DURATION.flatMap((ms) => [{ delayMs: ms }, { expiresMs: ms }, { retentionMs: ms }]),
  ...[2 ** 31, -(2 ** 31), 2 ** 60, 1e20, 0.5, Number.NaN, Number.POSITIVE_INFINITY].map((priority) => ({
    priority,
  })),
  ...["a\0b", "\ud800", "x".repeat(1_001), "\u20ac".repeat(400)].flatMap((text) =>
    (["id", "queue", "name", "flow", "unique", "bucket"] as const).map((field) => ({ [field]: text })),
  ),
  { payload: 5n as never },
  { payload: { a: [new Map()] } as never },
  { payload: [Number.NaN] },
  { meta: ring() as never },
  { meta: { at: new Date(Number.NaN) } as never },
];

/** What programs give by mistake: such a thing is refused alone, or kept so that everything can be read. */
export function extremes(current: Current): void {
  test("a time beyond every clock means never, and whatever holds it can be read, claimed and removed", async () => {
    const { store, clock } = current();
    for (const [n, ms] of NEVER.entries()) {
      await store.enqueue([
        newTask(`delayed${n}`, { delayMs: ms }),
        newTask(`expires${n}`, { expiresMs: ms, retentionMs: ms }),
        newTask(`child${n}`, { retentionMs: ms, priority: 2 ** 31 - 1 }),
      ]);
    }
    clock.advance(86_400_000);
    const claims = await claimOf(store, 100);
    assert.equal(claims.length, 10);
    for (const [n, claim] of claims.entries()) {
      const delayMs = NEVER[n % NEVER.length] as number;
      const results: TaskResult[] = [
        { state: "retry", delayMs, error: "later" },
        { state: "snoozed", delayMs },
        { state: "crashed", delayMs, error: "died", poisonAfter: 9 },
        { state: "succeeded" },
      ];
      await settle(store, claim, results[n % results.length] as TaskResult);
    }
    assert.deepEqual(await claimOf(store, 100), []);
    const tasks = await store.query({ queue: "q" });
    assert.equal(tasks.length, 15);
    for (const { due, expiresAt } of tasks) {
      for (const instant of [due, expiresAt]) if (instant !== null) new Date(instant).toISOString();
    }
    assert.ok(((await store.claimableInMs(["q"])) as number) > 1e12);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    assert.equal(await store.prune(100), 0);
    assert.ok((await store.queues()).some(({ name }) => name === "q"));
    assert.ok((await store.makeClaimable({ queue: "q", states: ["waiting"] })) > 0);
    assert.ok((await store.requestCancel({ queue: "q" })) > 0);
  });

  test("what no driver can keep is refused in words that name it, and nothing of its batch is stored", async () => {
    const { store } = current();
    for (const [n, bad] of UNSTORABLE.entries()) {
      const batch = [newTask(`before${n}`), newTask(`bad${n}`, bad), newTask(`after${n}`)];
      const error = await store.enqueue(batch).then(
        () => assert.fail(`${JSON.stringify(Object.keys(bad))} was stored`),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof PawlError && error.code === "store.unstorable", String(error));
      assert.match(error.message, /cannot be stored(: it| as JSON: )/);
    }
    assert.deepEqual(await store.query({ queue: "q" }), []);
    // Many of them alike go another way.
    const many = Array.from({ length: 50 }, (_, n) => newTask(`many${n}`, { priority: 2 ** 40 }));
    await assert.rejects(store.enqueue(many), /priority 1099511627776/);
    await store.enqueue([newTask("good")]);
    assert.deepEqual(ids(await claimOf(store)), ["good"]);
  });

  test("a settlement with a time that is none is refused, and the claim can still be settled", async () => {
    const { store } = current();
    const lease = await claimed(store);
    for (const delayMs of NO_DURATION) {
      for (const state of ["retry", "snoozed"] as const) {
        await assert.rejects(settle(store, lease, { state, delayMs, error: "x" } as TaskResult), {
          code: "store.unstorable",
        });
      }
    }
    assert.deepEqual(await settle(store, lease, { state: "dead", error: "refused" }), {
      lost: [],
    });
    assert.equal((await taskOf(store)).state, "dead");
  });

  test("errors, logs, results and progress keep whatever text they hold, as far as a text can", async () => {
    const { store } = current();
    const texts = ["a\0b", "\ud800", '"\\,{}', "\u001b[2J", "x".repeat(3_000_000), ""];
    for (const [n, text] of texts.entries()) {
      const id = `t${n}`;
      const payload = { [text.slice(0, 9)]: text };
      await store.enqueue([newTask(id, { payload })]);
      const lease = await claimOne(store);
      assert.deepEqual(lease.task.payload, payload);
      await store.progress([{ ...lease, value: { note: text } }]);
      await store.settle([{ ...settlement(lease, { state: "retry", delayMs: 0, error: text }), log: text }]);
      const [again] = await claimOf(store);
      assert.deepEqual([again?.id, again?.task.progress], [id, { note: text }]);
      assert.ok(again);
      await store.settle([{ ...settlement(again, { state: "succeeded", value: [text] }), log: text }]);
      assert.deepEqual((await taskOf(store, id)).result, [text]);
      const lengths = (await store.attempts(id)).map(({ error, log }) => [error?.length, log?.length]);
      assert.deepEqual(lengths, [
        [text.length, text.length],
        [undefined, text.length],
      ]);
    }
  });
}

function ring(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
