import assert from "node:assert/strict";
import type { Stories } from "./desk.ts";

/** Cancelling, trying again, pausing. */
export const steering: Stories = {
  "nothing is done to all tasks unless that is spelled out": async (desk) => {
    await desk.enqueue({ id: "a" }, { id: "b", queue: "other" });
    for (const command of [["cancel"], ["retry"], ["dead", "requeue"]]) {
      assert.match(await desk.refused(...command), /give ids, a filter such as --queue or --name, or --all/);
    }
    assert.match(await desk.refused("cancel", "a", "--all"), /takes either ids, or a filter, or --all/);
    assert.match(
      await desk.refused("dead", "requeue", "--all", "--queue", "q"),
      /takes either ids, or a filter, or --all/,
    );
    assert.match(await desk.refused("cancel", "--name", ""), /--name was given without a value/);
    assert.deepEqual(await desk.states(), { a: "waiting", b: "waiting" });
    assert.deepEqual(await desk.json("cancel", "--all"), [{ reached: 2 }]);
    assert.deepEqual(await desk.states(), { a: "cancelled", b: "cancelled" });
  },

  "tasks are cancelled by id or by filter, and one wrong id stops the whole command": async (desk) => {
    await desk.enqueue({ id: "a" }, { id: "b" }, { id: "c", name: "other" }, { id: "d", name: "other" });
    assert.match(await desk.refused("cancel", "a", "gone"), /There is no task gone/);
    assert.equal((await desk.states()).a, "waiting");
    assert.match(await desk.refused("cancel", "gone"), /No task and no run is named "gone"/);
    assert.equal(await desk.pawl("cancel", "a"), "task a is cancelled\n");
    assert.match(
      await desk.refused("cancel", "a"),
      /Task a is cancelled already: there is nothing to cancel/,
    );
    assert.equal(await desk.pawl("cancel", "a", "b"), "task a is cancelled already\ntask b is cancelled\n");
    assert.match(await desk.pawl("cancel", "--name", "other"), /^2 tasks cancelled/);
    assert.match(await desk.pawl("cancel", "--name", "other"), /^0 tasks cancelled/);
  },

  "dead letters are requeued by filter; what was cancelled only where it is said": async (desk) => {
    await desk.enqueue({ id: "a" }, { id: "b", name: "other" }, { id: "c" });
    await desk.settle("q", { state: "dead", error: "no" });
    await desk.settle("q", { state: "dead", error: "no" });
    await desk.store.requestCancel({ ids: ["c"] });
    assert.equal(await desk.pawl("dead", "requeue", "--name", "other"), "1 task will be tried again\n");
    assert.deepEqual(await desk.states(), { a: "dead", b: "waiting", c: "cancelled" });
    assert.deepEqual(await desk.json("retry", "--all"), [{ released: 1 }]);
    assert.deepEqual(await desk.states(), { a: "waiting", b: "waiting", c: "cancelled" });
    assert.match(
      await desk.refused("dead", "requeue", "c"),
      /Task c is cancelled and no dead letter: say pawl retry c/,
    );
    assert.match(
      await desk.refused("retry", "--state", "leased"),
      /Tasks that are leased cannot be tried again/,
    );
    assert.equal(await desk.pawl("retry", "--state", "cancelled"), "1 task will be tried again\n");
    assert.match(await desk.refused("retry", "c"), /Task c is waiting: there is nothing to try again/);
  },

  "a flow goes on from the member that failed, with those that were cancelled for it": async (desk) => {
    const member = (index: number) => ({
      id: `f/${index}`,
      queue: "m",
      name: "part",
      payload: null,
      flow: "f",
      childOf: { group: "f", index },
    });
    await desk.store.enqueue(
      [
        { id: "f", queue: "q", name: "body", payload: null, flow: "f", held: true },
        member(0),
        member(1),
        member(2),
      ],
      { groups: [{ id: "f", children: 3, need: "all", callback: "f" }] },
    );
    await desk.settle("m", { state: "dead", error: "no" });
    assert.deepEqual(await desk.states(), {
      f: "dead",
      "f/0": "dead",
      "f/1": "cancelled",
      "f/2": "cancelled",
    });
    const left = await desk.pawl("dead", "requeue", "--name", "body");
    assert.match(left, /^0 tasks will be tried again\n1 stay dead: .*pawl retry FLOW/);
    assert.match(await desk.pawl("retry", "f"), /^flow f: 4 tasks will be tried again\n$/);
    assert.deepEqual(await desk.states(), {
      f: "waiting",
      "f/0": "waiting",
      "f/1": "waiting",
      "f/2": "waiting",
    });
    assert.match(await desk.pawl("cancel", "f"), /^flow f: 4 tasks cancelled/);
  },

  "a queue is paused, goes on and is purged; an unknown name is refused": async (desk) => {
    await desk.enqueue({ id: "a" }, { id: "b" });
    assert.match(await desk.refused("queues", "pause", "p"), /There is no queue "p" .*: it has q\./);
    assert.match(await desk.pawl("queues", "pause", "q"), /^queue q is paused/);
    assert.deepEqual(await desk.store.claim({ queues: ["q"], n: 1, leaseMs: 1_000, worker: "w" }), []);
    assert.match(await desk.pawl("queues"), / paused\n$/);
    assert.deepEqual(await desk.json("queues", "resume", "q"), [{ queue: "q", paused: false }]);
    assert.equal((await desk.store.claim({ queues: ["q"], n: 1, leaseMs: 60_000, worker: "w" })).length, 1);
    assert.match(await desk.pawl("queues", "purge", "q"), /^queue q: 1 waiting task cancelled/);
    assert.deepEqual(Object.values(await desk.states()).sort(), ["cancelled", "leased"]);
  },
};
