import assert from "node:assert/strict";
import { test } from "node:test";
import { LostError, PawlError, type QuarantinedItem } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { newRun } from "./runs.ts";

function item(shard: number, ordinal: number, reason = "bad"): QuarantinedItem {
  const raw = Uint8Array.from([0, 255, shard, ordinal % 256]);
  return { shard, ordinal, raw, at: `people.csv line ${ordinal}`, reason, code: ordinal % 2 ? "odd" : null };
}

export function quarantine(current: Current): void {
  test("quarantined items are kept whole and read in pages by shard and ordinal", async () => {
    const { store } = current();
    await store.createRun(newRun("r"));
    await store.quarantine("r", 1, 0, [item(1, 4), item(1, 2)]);
    await store.quarantine("r", 0, 0, [item(0, 7)]);
    const first = await store.quarantined("r", { limit: 2 });
    assert.deepEqual(
      first.map(({ number, ...rest }) => ({ ...rest, raw: Uint8Array.from(rest.raw) })),
      [item(0, 7), item(1, 2)].map((whole) => ({ ...whole, replayedBy: null })),
    );
    const rest = await store.quarantined("r", { after: { shard: 1, ordinal: 2 }, limit: 2 });
    assert.deepEqual(
      rest.map(({ ordinal }) => ordinal),
      [4],
    );
    assert.equal(await store.quarantineCount("r"), 3);
    assert.equal(await store.quarantineCount("other"), 0);
  });

  test("an attempt that is repeated overwrites what the attempt before it left behind", async () => {
    const { store } = current();
    await store.createRun(newRun("r"));
    await store.quarantine("r", 0, 0, [item(0, 1), item(0, 5), item(0, 9)]);
    await store.quarantine("r", 1, 0, [item(1, 5)]);
    await store.quarantine("r", 0, 5, [item(0, 6, "worse")]);
    const left = await store.quarantined("r", { limit: 10 });
    assert.deepEqual(
      left.map(({ shard, ordinal, reason }) => [shard, ordinal, reason]),
      [
        [0, 1, "bad"],
        [0, 6, "worse"],
        [1, 5, "bad"],
      ],
    );
    const numbers = left.map(({ number }) => number);
    assert.equal(new Set(numbers).size, 3);
    assert.equal(Math.max(...numbers), numbers[1], "numbers grow and are not used again");
    await store.quarantine("r", 0, 0, []);
    assert.equal(await store.quarantineCount("r"), 1);
  });

  test("one whose lease was lost puts nothing away and takes nothing back", async () => {
    const { store, clock } = current();
    await store.createRun(newRun("r"));
    await store.enqueue([{ id: "r/0", queue: "q", name: "shard", flow: "r", payload: null }]);
    const claim = async () => (await store.claim({ queues: ["q"], n: 1, worker: "w", leaseMs: 1000 }))[0];
    const old = await claim();
    assert.ok(old);
    await store.quarantine("r", 0, 0, [item(0, 1)], old);
    clock.advance(2000);
    await store.sweep({ poisonAfter: 9 });
    const now = await claim();
    assert.ok(now && now.fence > old.fence);
    await assert.rejects(store.quarantine("r", 0, 0, [], old), LostError);
    await store.quarantine("r", 0, 2, [item(0, 3)], now);
    await assert.rejects(store.quarantine("r", 0, 2, [item(0, 2)], old), LostError);
    const left = await store.quarantined("r", { limit: 9 });
    assert.deepEqual(
      left.map(({ ordinal }) => ordinal),
      [1, 3],
    );
  });

  test("an item outside the replaced range is refused, and nothing changes", async () => {
    const { store } = current();
    await store.createRun(newRun("r"));
    await store.quarantine("r", 0, 0, [item(0, 1)]);
    await assert.rejects(store.quarantine("r", 0, 1, [item(0, 2), item(0, 0)]), RangeError);
    await assert.rejects(store.quarantine("r", 0, 1, [item(1, 2)]), RangeError);
    await assert.rejects(store.quarantine("no run", 0, 0, [item(0, 1)]), PawlError);
    assert.equal((await store.quarantined("r", { limit: 9 }))[0]?.ordinal, 1);
  });

  test("corrected items can be left out, and the first replay keeps the credit", async () => {
    const { store } = current();
    await store.createRun(newRun("r"));
    await store.quarantine("r", 0, 0, [item(0, 1), item(0, 2), item(0, 3)]);
    const numbers = (await store.quarantined("r", { limit: 9 })).map(({ number }) => number);
    const patch = { state: "succeeded" } as const;
    for (const id of ["replay 1", "replay 2", "replay 3"]) await store.createRun(newRun(id));
    assert.ok(await store.updateRun("replay 1", ["pending"], { ...patch, replayed: numbers.slice(0, 2) }));
    assert.ok(await store.updateRun("replay 2", ["pending"], { ...patch, replayed: numbers.slice(1, 2) }));
    // A change that is not made marks nothing either.
    assert.equal(await store.updateRun("replay 3", ["running"], { ...patch, replayed: numbers }), false);
    const open = await store.quarantined("r", { limit: 9, openOnly: true });
    assert.deepEqual(
      open.map(({ ordinal }) => ordinal),
      [3],
    );
    assert.equal(await store.quarantineCount("r", { openOnly: true }), 1);
    assert.equal(await store.quarantineCount("r"), 3);
    const all = await store.quarantined("r", { limit: 9 });
    assert.deepEqual(
      all.map(({ replayedBy }) => replayedBy),
      ["replay 1", "replay 1", null],
    );
  });

  test("many thousand items are quarantined at once, all or none", async () => {
    const { store } = current();
    await store.createRun(newRun("r"));
    const many = Array.from({ length: 12_000 }, (_, ordinal) => item(0, ordinal));
    await store.quarantine("r", 0, 0, many);
    assert.equal(await store.quarantineCount("r"), 12_000);
    await assert.rejects(store.quarantine("r", 0, 0, [...many.slice(0, 5_000), item(9, 9)]), RangeError);
    assert.equal(await store.quarantineCount("r"), 12_000);
  });
}
