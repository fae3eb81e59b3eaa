import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  chain,
  chord,
  group,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  schedule,
} from "../../../src/tasks/index.ts";
import { add, double, outcomes, timed, total } from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

/** Schedules, and the workers that fire them. */
export function schedules(open: OpenPlace): void {
  test("each time fires once, however many workers run, and the task knows its time", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    await schedule("pulse", timed, { every: "100ms", catchUp: "all" }, { store });
    for (const _ of [1, 2, 3]) await stage.work();
    let fired = await store.query({ name: "timed", states: ["succeeded"] });
    for (; fired.length < 8; fired = await store.query({ name: "timed", states: ["succeeded"] }))
      await sleep(20);
    const times = fired.map(({ id, result }) => {
      assert.equal(id, `pulse@${result}`);
      return Date.parse(result as string);
    });
    times.sort((a, b) => a - b);
    for (let at = 1; at < times.length; at++) {
      assert.equal((times[at] as number) - (times[at - 1] as number), 100);
    }
  });

  test("a schedule that cannot be fired keeps no other from firing, and is told of", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    // As another program may have stored them.
    for (const [id, spec] of [
      ["a", { everyMs: null, catchUp: "last" }],
      ["b", { cron: "every day", timezone: "UTC", catchUp: "last" }],
      ["c".repeat(990), { everyMs: 3_600_000, catchUp: "last" }],
      ["d", { cron: "0 0 * * *", timezone: "Nowhere/Town", catchUp: "last" }],
    ] as const) {
      const task = { name: "timed", queue: "default", payload: null };
      await store.putSchedule({ id, spec, task, next: 1 });
    }
    await schedule("whole", timed, { every: "100ms" }, { store });
    const told: unknown[] = [];
    await stage.work({ onError: (error) => told.push(error) });
    for (;;) {
      const fired = await store.query({ name: "timed", states: ["succeeded"] });
      if (fired.length >= 2 && told.length >= 4) break;
      await sleep(20);
    }
    assert.ok((await store.query({ name: "timed" })).every(({ id }) => id.startsWith("whole@")));
    for (const name of ["", "a\0", "n".repeat(300)]) {
      await assert.rejects(schedule(name, timed, { every: "1h" }, { store }), { code: "schedule.name" });
    }
  });

  test("a flow on a schedule runs whole each time", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    const flow = chord([double.with(1), double.with(2)], total);
    await schedule("nightly", flow, { every: "150ms" }, { store });
    await stage.work();
    let done = await store.query({ name: "total", states: ["succeeded"] });
    for (; done.length < 2; done = await store.query({ name: "total", states: ["succeeded"] }))
      await sleep(20);
    for (const { result } of done) assert.deepEqual(result, { sum: 6, count: 2, attempt: 1 });
    assert.equal(
      await stage.client
        .handle(done[0]?.id as string)
        .result()
        .then(JSON.stringify),
      JSON.stringify(done[0]?.result),
    );
  });

  test("every task of a flow knows the time for which it was fired", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    await schedule("timed", chain(group([timed, chain(timed, timed)]), outcomes), { every: "1h" }, { store });
    const due = (await store.now()) - 1_000;
    await store.pauseSchedule("timed", true);
    await store.pauseSchedule("timed", false, due);
    await stage.work();
    const time = new Date(due).toISOString();
    const fired = stage.client.handle(`timed@${time}`);
    while ((await fired.status()) === undefined) await sleep(20);
    assert.deepEqual(await fired.result(), [`0 succeeded ${time}`, `1 succeeded ${time}`]);
  });

  test("an edited schedule takes effect while workers run; a paused or removed one rests", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    await stage.work();
    await schedule("job", add.with({ a: 1 }), { every: "1h" }, { store });
    await schedule("job", add.with({ a: 5 }), { every: "50ms" }, { store });
    for (;;) {
      const [first] = await store.query({ name: "add", states: ["succeeded"] });
      if (first !== undefined) {
        assert.equal(first.result, 6);
        break;
      }
      await sleep(20);
    }
    assert.equal(await pauseSchedule("job", { store }), true);
    const count = async () => (await store.query({ name: "add" })).length;
    const paused = await count();
    await sleep(200);
    assert.equal(await count(), paused);
    assert.equal(await resumeSchedule("job", { store }), true);
    while ((await count()) === paused) await sleep(20);
    assert.equal(await removeSchedule("job", { store }), true);
    assert.equal(await removeSchedule("job", { store }), false);
    assert.equal(await resumeSchedule("job", { store }), false);
  });

  test("what passed while no worker worked is caught up with as the schedule says", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    for (const catchUp of ["all", "last", "none"] as const) {
      const link = timed.with(catchUp);
      await schedule(catchUp, link, { every: "1s", catchUp }, { store });
      const stored = (await store.schedules()).find(({ id }) => id === catchUp);
      // As if it had been stored 100 seconds ago, and an hour's pause follows now.
      const next = (await store.now()) - 100_000;
      assert.ok(stored !== undefined);
      await store.pauseSchedule(catchUp, true);
      await store.pauseSchedule(catchUp, false, next);
    }
    await stage.work({ queues: { default: 4 } });
    const of = async (id: string) =>
      (await store.query({ name: "timed" })).filter((task) => task.id.startsWith(`${id}@`));
    while ((await of("all")).length < 100) await sleep(20);
    assert.ok((await of("last")).length < 50, "one for what was missed, and those since");
    assert.ok((await of("none")).length < 50);
  });

  test("times and inputs that will not do are refused", async () => {
    await using stage = await Stage.open(open);
    const { store } = stage;
    for (const [times, code] of [
      [{ cron: "61 * * * *" }, "schedule.cron"],
      [{ cron: "0 0 * * *", timezone: "Mars/Olympus" }, "schedule.cron"],
      [{ every: 0 }, "schedule.every"],
      [{ every: "now" as never }, "argument.duration"],
      [{ every: 1, catchUp: "some" as never }, "schedule.catch-up"],
      [{ every: 1, cron: "0 0 * * *" }, "schedule.times"],
      [{ every: 1, timezone: "UTC" } as never, "schedule.times"],
      [{} as never, "schedule.times"],
      [{ every: 1, evry: 1 } as never, "task.option"],
    ] as const) {
      await assert.rejects(schedule("s", timed, times, { store }), { code });
    }
    await assert.rejects(schedule("s", add.with({ a: "x" } as never), { every: 1 }, { store }), {
      code: "task.input",
    });
    assert.deepEqual(await store.schedules(), []);
  });
}
