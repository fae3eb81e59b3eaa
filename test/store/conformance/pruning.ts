import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, settlement } from "./tasks.ts";

async function left(store: Store): Promise<string[]> {
  return ids(await store.query({ queue: "q" }));
}

const succeeded = { state: "succeeded" } as const;

/** Cleaning up. */
export function pruning(current: Current): void {
  test("a settled task is removed once its retention is over, and no other", async () => {
    const { store, clock } = current();
    await store.enqueue([
      newTask("ever"),
      newTask("short", { retentionMs: 100 }),
      newTask("long", { retentionMs: 200 }),
      newTask("dead", { retentionMs: 100 }),
      newTask("waits", { retentionMs: 0, held: true }),
      newTask("cancelled", { retentionMs: 0, held: true }),
    ]);
    const claims = await claimOf(store, 9);
    await store.settle(
      claims.map((claim) =>
        settlement(claim, claim.id === "dead" ? { state: "dead", error: "e" } : succeeded),
      ),
    );
    clock.advance(99);
    assert.equal(await store.prune(9), 0);
    await store.requestCancel({ ids: ["cancelled"] });
    assert.equal(await store.prune(9), 1, "a retention of nothing is over at once");
    clock.advance(1);
    assert.equal(await store.prune(9), 2);
    assert.deepEqual(await left(store), ["ever", "long", "waits"]);
    assert.deepEqual(await store.attempts("dead"), []);
    clock.advance(1e9);
    assert.equal(await store.prune(9), 1);
    assert.deepEqual(await left(store), ["ever", "waits"]);
    assert.deepEqual(await store.enqueue([newTask("short")]), ["short"], "its id is free again");
  });

  test("no more are removed at a time than asked for", async () => {
    const { store } = current();
    await store.enqueue(Array.from({ length: 5 }, (_, n) => newTask(`t${n}`, { retentionMs: 0 })));
    await store.requestCancel({ queue: "q" });
    assert.deepEqual([await store.prune(2), await store.prune(2), await store.prune(2)], [2, 2, 1]);
  });

  test("a released task is not removed for having been settled once", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t", { retentionMs: 50 })]);
    await store.requestCancel({ ids: ["t"] });
    await store.makeClaimable({ ids: ["t"] });
    clock.advance(50);
    assert.equal(await store.prune(9), 0);
    const claim = await claimOne(store);
    await settle(store, claim, succeeded);
    assert.equal(await store.prune(9), 0, "it is kept from when it was settled again");
    clock.advance(50);
    assert.equal(await store.prune(9), 1);
  });

  test("the children of a group are kept until its callback has ended, and then go like others", async () => {
    const { store, clock } = current();
    await store.enqueue(
      [
        newTask("callback", { held: true }),
        ...[0, 1].map((index) => newTask(`m${index}`, { childOf: { group: "j", index }, retentionMs: 0 })),
      ],
      { groups: [{ id: "j", children: 2, need: "all", callback: "callback" }] },
    );
    for (const expected of [["m0"], ["m1"], ["callback"]]) {
      const [claim] = await claimOf(store);
      assert.deepEqual(claim && [claim.id], expected);
      clock.advance(10);
      assert.equal(await store.prune(9), 0);
      assert.ok(claim);
      await settle(store, claim, succeeded);
    }
    assert.equal(await store.prune(9), 2);
    assert.deepEqual(await left(store), ["callback"]);
    assert.deepEqual(await store.children("j", { limit: 9 }), []);
  });

  test("a group goes with its callback", async () => {
    const { store } = current();
    await store.enqueue([newTask("callback", { held: true, retentionMs: 0 })], {
      groups: [{ id: "j", children: 0, need: "all", callback: "callback" }],
    });
    const claim = await claimOne(store);
    await settle(store, claim, succeeded);
    assert.equal((await store.group("j"))?.state, "released");
    assert.equal(await store.prune(9), 1);
    assert.equal(await store.group("j"), undefined);
  });
}
