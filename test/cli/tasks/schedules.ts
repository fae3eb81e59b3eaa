import assert from "node:assert/strict";
import { chain, pauseSchedule, schedule } from "../../../src/tasks/index.ts";
import type { Stories } from "./desk.ts";
import { first, second } from "./module.ts";

export const schedules: Stories = {
  "schedules are listed, paused, resumed and removed": async (desk) => {
    const { store } = desk;
    await schedule(
      "nightly",
      chain(first, second),
      { cron: "30 2 * * *", timezone: "Europe/Berlin" },
      { store },
    );
    await schedule("pulse", first, { every: "30s" }, { store });
    const out = await desk.pawl("schedules");
    assert.match(
      out,
      /\nnightly +30 2 \* \* \* Europe\/Berlin +\d{4}-\d\d-\d\d 0[01]:30:00 UTC, in .* first and 1 link after it\n/,
    );
    assert.match(out, /\npulse +every 30 s +.* UTC, .* first\n$/);
    assert.match(await desk.pawl("schedules", "pause", "pulse"), /^schedule pulse is paused\n$/);
    assert.deepEqual(
      (await store.schedules()).map(({ id, paused }) => [id, paused]),
      [
        ["nightly", false],
        ["pulse", true],
      ],
    );
    await pauseSchedule("nightly", { store });
    assert.deepEqual(await desk.json("schedules", "resume", "nightly"), [
      { schedule: "nightly", resumed: true },
    ]);
    const [[nightly, pulse]] = await desk.json("schedules");
    assert.deepEqual([nightly.paused, pulse.paused, nightly.spec.cron], [false, true, "30 2 * * *"]);
    assert.ok(Date.parse(nightly.next) > Date.now());
    await desk.pawl("schedules", "remove", "pulse");
    assert.match(await desk.refused("schedules", "remove", "pulse"), /There is no schedule "pulse"/);
  },
};
