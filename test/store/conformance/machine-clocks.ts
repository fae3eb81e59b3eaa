import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimed } from "./tasks.ts";

/** A driver whose clocks are those of a machine: one can be set, the other begins again at its start. */
export function machineClocks(current: Current): void {
  test("a lease survives a wall clock that is set forward or back", async () => {
    const { store, clock } = current();
    await claimed(store);
    for (const jump of [86_400_000, -172_800_000]) {
      clock.setWall(jump);
      assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, []);
      assert.equal(await store.claimableInMs(["q"]), 1_000);
    }
    clock.advance(1_000);
    assert.equal(await store.claimableInMs(["q"]), 0);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, ["t"]);
  });

  test("a machine that was started again voids the leases of before", async () => {
    const { store, clock } = current();
    await claimed(store);
    clock.reboot();
    assert.equal(await store.claimableInMs(["q"]), 0);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, ["t"]);
  });

  test("a lease is void when the monotonic clock has begun again, even if the boot has no name", async () => {
    const { store, clock } = current();
    await claimed(store);
    clock.reboot(clock.boot);
    assert.equal(await store.claimableInMs(["q"]), 0);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, ["t"]);
  });
}
