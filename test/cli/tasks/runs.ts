import assert from "node:assert/strict";
import { queueOf } from "../../../src/batch/internal.ts";
import type { Stories } from "./desk.ts";

/** A run that no worker works on, with a shard. */
const run = { id: "abcdefghjk", key: "k", identity: null, job: { name: "job", module: null, params: null } };

export const runs: Stories = {
  "the tasks of a run are left to the run": async (desk) => {
    const { store } = desk;
    await store.createRun(run);
    const queue = queueOf(run.id);
    await desk.enqueue({ id: `${run.id}/0`, queue, flow: run.id, name: "shard" }, { id: "own" });
    for (const which of [[`${run.id}/0`], ["--queue", queue], ["--flow", run.id]]) {
      assert.match(
        await desk.refused("cancel", ...which),
        /is part of run abcdefghjk: pawl cancel abcdefghjk/,
      );
    }
    assert.match(await desk.refused("queues", "pause", queue), /part of a run: say pawl pause abcdefghjk/);
    assert.deepEqual(await desk.json("cancel", "--all"), [{ reached: 1 }]);
    assert.deepEqual(await desk.states(), { own: "cancelled", [`${run.id}/0`]: "waiting" });
    const ids = async (...flags: string[]) => (await desk.json("tasks", ...flags)).map(({ id }) => id);
    assert.deepEqual(await ids(), ["own"]);
    assert.deepEqual(await ids("--limit", "1"), ["own"]);
    assert.deepEqual(await ids("--flow", run.id), [`${run.id}/0`]);
    const [queues] = await desk.json("queues");
    assert.deepEqual(
      queues.map(({ queue }: { queue: string }) => queue),
      ["q"],
    );
    // The same word for the run itself, by the beginning of its id.
    assert.deepEqual(await desk.json("cancel", "abcde"), [{ run: run.id, state: "cancelled" }]);
    assert.equal((await store.run(run.id))?.state, "cancelled");
  },
};
