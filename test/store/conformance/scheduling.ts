import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask } from "./tasks.ts";

/** Schedules. */
export function scheduling(current: Current): void {
  test("a schedule is stored whole, and putting the same again changes nothing", async () => {
    const { store, reopen, clock } = current();
    const next = clock.wall() + 100;
    const schedule = { id: "s", spec: { cron: "* * * * *", zone: "UTC" }, task: { name: "work" }, next };
    const stored = await store.putSchedule(schedule);
    const { version, ...rest } = stored;
    assert.deepEqual(rest, { ...schedule, paused: false, lastFired: null });
    const again = { ...schedule, spec: { zone: "UTC", cron: "* * * * *" }, next: next + 7 };
    assert.deepEqual(await store.putSchedule(again), stored);
    await store.putSchedule({ ...schedule, id: "never", next: null });
    assert.deepEqual(ids(await (await reopen()).schedules()), ["never", "s"]);
    assert.equal((await store.schedules())[1]?.version, version);
  });

  test("an edited schedule fires at its new time if its spec changed, else at the old one", async () => {
    const { store, clock } = current();
    const now = clock.wall();
    const schedule = { id: "s", spec: "daily", task: 1, next: now + 100 };
    const first = await store.putSchedule(schedule);
    const task = await store.putSchedule({ ...schedule, task: 2, next: now + 300 });
    assert.deepEqual([task.task, task.next], [2, now + 100]);
    const spec = await store.putSchedule({ ...schedule, task: 2, spec: "hourly", next: now + 300 });
    assert.deepEqual([spec.spec, spec.next], ["hourly", now + 300]);
    assert.ok(first.version < task.version && task.version < spec.version);
  });

  test("a schedule that is due fires once: its tasks are enqueued and its next time is set in one step", async () => {
    const { store, reopen, clock } = current();
    const other = await reopen();
    const next = clock.wall() + 100;
    const { version } = await store.putSchedule({ id: "s", spec: "x", task: "y", next });
    assert.equal(await store.fireSchedule("s", version, next + 100, [newTask("early")]), false);
    clock.advance(100);
    assert.equal(await store.fireSchedule("s", version + 1, next + 100, [newTask("other version")]), false);
    const ticks = await Promise.all([
      store.fireSchedule("s", version, next + 100, [newTask("a"), newTask("b")]),
      other.fireSchedule("s", version, next + 100, [newTask("c"), newTask("d")]),
    ]);
    assert.deepEqual(ticks.toSorted(), [false, true]);
    assert.deepEqual(ids(await claimOf(store, 9)), ticks[0] ? ["a", "b"] : ["c", "d"]);
    const [schedule] = await store.schedules();
    assert.deepEqual([schedule?.next, schedule?.lastFired], [next + 100, clock.wall()]);
    assert.ok((schedule?.version ?? 0) > version);
    assert.equal(await store.fireSchedule("s", schedule?.version ?? 0, null, [newTask("early")]), false);
    clock.advance(100);
    assert.equal(await store.fireSchedule("s", version, null, [newTask("old version")]), false);
    assert.equal(await store.fireSchedule("s", schedule?.version ?? 0, null, []), true);
    clock.advance(1e9);
    const [ended] = await store.schedules();
    assert.equal(ended?.next, null);
    assert.equal(await store.fireSchedule("s", ended?.version ?? 0, null, [newTask("never")]), false);
    assert.deepEqual(await claimOf(store, 9), []);
  });

  test("a tick that cannot enqueue its tasks does not fire", async () => {
    const { store, clock } = current();
    const { version } = await store.putSchedule({ id: "s", spec: "x", task: "y", next: clock.wall() });
    const broken = newTask("broken", { delayMs: Number.NaN });
    await assert.rejects(store.fireSchedule("s", version, null, [newTask("a"), broken]), {
      code: "store.unstorable",
    });
    assert.equal((await store.schedules())[0]?.lastFired, null);
    assert.equal(await store.fireSchedule("s", version, null, [newTask("a")]), true);
    assert.deepEqual(ids(await claimOf(store, 9)), ["a"]);
  });

  test("an edited, paused or removed schedule refuses the tick of what it was", async () => {
    const { store, clock } = current();
    const schedule = { id: "s", spec: "x", task: "y", next: clock.wall() };
    let { version } = await store.putSchedule(schedule);
    const refused = async (what: string) => {
      assert.equal(await store.fireSchedule("s", version, null, [newTask("t")]), false, what);
      version = (await store.schedules())[0]?.version ?? version;
    };
    await store.putSchedule({ ...schedule, task: "z" });
    await refused("edited");
    assert.equal(await store.pauseSchedule("s", true), true);
    await refused("paused");
    await refused("paused, though its version is known");
    assert.equal(await store.pauseSchedule("s", false), true);
    await refused("resumed");
    assert.equal(await store.removeSchedule("s"), true);
    await refused("removed");
    await store.putSchedule(schedule);
    await refused("removed and put again");
    assert.equal(await store.fireSchedule("s", version, null, [newTask("t")]), true);
    assert.equal(await store.removeSchedule("s"), true);
    assert.equal(await store.removeSchedule("s"), false);
    assert.equal(await store.pauseSchedule("s", true), false);
    assert.deepEqual(await store.schedules(), []);
  });

  test("a schedule that is resumed fires when it is told to, or as before", async () => {
    const { store, clock } = current();
    const next = clock.wall() + 100;
    await store.putSchedule({ id: "s", spec: "x", task: "y", next });
    await store.pauseSchedule("s", true);
    const paused = (await store.schedules())[0];
    assert.deepEqual([paused?.paused, paused?.next], [true, next]);
    const edited = await store.putSchedule({ id: "s", spec: "x", task: "z", next });
    assert.equal(edited.paused, true, "an edit does not resume it");
    await store.pauseSchedule("s", false, next + 50);
    assert.deepEqual(
      (await store.schedules()).map((schedule) => [schedule.paused, schedule.next]),
      [[false, next + 50]],
    );
    await store.pauseSchedule("s", true);
    await store.pauseSchedule("s", false);
    assert.equal((await store.schedules())[0]?.next, next + 50);
  });
}
