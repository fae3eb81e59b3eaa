import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ScheduleRecord } from "../../../src/store/index.ts";
import { openSqliteStore } from "../../../src/store/sqlite/open.ts";
import { schedule, task } from "../../../src/tasks/index.ts";
import { tickSchedules } from "../../../src/tasks/schedule/ticker.ts";
import { TestClock } from "../../store/test-clock.ts";

const HOUR = 3_600_000;

test("a schedule goes on in its time when the clock was set back, and fires no time twice", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-set-back-"));
  const clock = new TestClock();
  const store = await openSqliteStore(join(folder, "state.db"), { clock });
  context.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  const tick = task({ name: "set-back" }, () => null);
  await schedule("fired", tick, { every: "5m" }, { store });
  await schedule("hourly", tick, { cron: "0 * * * *" }, { store });
  const now = () => clock.wall();
  const all = async () => new Map((await store.schedules()).map((each) => [each.id, each]));
  /** Looks once. */
  const look = async () => {
    const stop = new AbortController();
    const seen: unknown[] = [];
    const ticking = tickSchedules(
      new Proxy(store, {
        get: (target, name) => {
          if (name === "now") stop.abort();
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
      stop.signal,
      (error) => seen.push(error),
    );
    await ticking;
    assert.deepEqual(seen, []);
    return await all();
  };
  const isSoon = (each: ScheduleRecord | undefined, within: number) =>
    each?.next != null && each.next > now() && each.next <= now() + within;

  clock.advance(HOUR);
  await look();
  const before = (await store.query({ name: "set-back" })).map(({ id }) => id);
  // Both fire by a clock that is a day ahead, and one is stored by it.
  clock.setWall(24 * HOUR);
  await look();
  await schedule("put", tick, { every: "10m" }, { store });
  clock.setWall(-24 * HOUR);
  const after = await look();
  assert.ok(isSoon(after.get("fired"), 5 * 60_000));
  assert.ok(isSoon(after.get("hourly"), HOUR));
  assert.ok(isSoon(after.get("put"), 10 * 60_000));
  // A clock that steps as others do changes nothing, nor does a look once more.
  clock.setWall(-2_000);
  assert.deepEqual(await look(), after);
  clock.advance(HOUR + 2_000);
  await look();
  const fired = (await store.query({ name: "set-back" })).map(({ id }) => id);
  assert.equal(new Set(fired).size, fired.length);
  assert.ok(fired.length >= before.length + 4);
});
