import assert from "node:assert/strict";
import { until } from "../scene.ts";
import { MODULE, type Stories } from "./desk.ts";

/** Seeing what there is. */
export const looking: Stories = {
  "an empty store says so, and prints nothing as JSON": async (desk) => {
    for (const what of ["tasks", "dead", "queues", "workers", "schedules"]) {
      assert.match(await desk.pawl(what), /^no [^\n]+\n$/);
    }
    assert.deepEqual(await desk.json("tasks"), []);
    for (const what of ["queues", "workers", "schedules"]) assert.deepEqual(await desk.json(what), [[]]);
  },

  "tasks are listed newest first, by filters, and page by page": async (desk) => {
    await desk.enqueue(
      { id: "a", queue: "heavy", payload: { account: "Acme" } },
      { id: "b", name: "other" },
      { id: "c", flow: "flow" },
      { id: "d", delayMs: 3_600_000 },
      { id: "e", held: true },
    );
    const ids = async (...flags: string[]) => (await desk.json("tasks", ...flags)).map(({ id }) => id);
    assert.deepEqual(await ids(), ["e", "d", "c", "b", "a"]);
    assert.deepEqual(await ids("--oldest-first", "--limit", "2"), ["a", "b"]);
    assert.deepEqual(await ids("--oldest-first", "--limit", "2", "--after", "b"), ["c", "d"]);
    assert.deepEqual(await ids("--queue", "heavy"), ["a"]);
    assert.deepEqual(await ids("--name", "other"), ["b"]);
    assert.deepEqual(await ids("--flow", "flow"), ["c"]);
    assert.deepEqual(await ids("--text", "acme"), ["a"]);
    assert.deepEqual(await ids("--older", "1h"), []);
    assert.deepEqual(await ids("--newer", "1h", "--queue", "heavy"), ["a"]);
    assert.deepEqual(await ids("--newer", "2020-01-31", "--queue", "heavy"), ["a"]);
    assert.deepEqual(await ids("--older", "2020-01-31T10:00"), []);
    assert.deepEqual(await ids("--state", "dead,succeeded"), []);
    const { out, err } = await desk.try("tasks", "--limit", "2");
    const [head, ...rows] = out.trimEnd().split("\n");
    assert.match(head ?? "", /^id +state +name +queue +age +tries +details$/);
    assert.match(rows[0] ?? "", /^e +waiting +work +q +\d+ s +0 +held$/);
    assert.match(rows[1] ?? "", /^d +waiting +work +q +\d+ s +0 +in (5\d min|1 h 00)/);
    assert.equal(rows.length, 2);
    assert.match(err, /there are more: continue with --after d\n$/);
  },

  "a list of more tasks than fit into a page of the store is whole": async (desk) => {
    const tasks = Array.from({ length: 1_203 }, (_, n) => ({ id: `n${n}` }));
    await desk.enqueue(...tasks);
    const listed = await desk.json("tasks", "--limit", "2000", "--oldest-first");
    assert.deepEqual(
      listed.map(({ id }) => id),
      tasks.map(({ id }) => id),
    );
    assert.equal((await desk.json("tasks", "--limit", "1203")).length, 1_203);
    assert.equal((await desk.try("tasks", "--limit", "1203")).err, "");
  },

  "what is wrong in a filter is one sentence": async (desk) => {
    assert.match(await desk.refused("tasks", "--state", "done"), /--state is waiting, leased/);
    assert.match(
      await desk.refused("tasks", "--older", "soon"),
      /--older takes a date such as .* or a time such as/,
    );
    assert.match(await desk.refused("tasks", "--limit", "0"), /--limit takes a whole number/);
    assert.match(await desk.refused("tasks", "--text", ""), /--text was given without a value/);
    assert.match(await desk.refused("tasks", "--after", "gone"), /no task gone/);
    assert.match(await desk.refused("task", "gone"), /There is no task gone/);
    assert.match(await desk.refused("tasks", "--store", "env:PAWL_NOT_SET"), /not set/);
  },

  "a task shows each attempt with its worker, its error and its log": async (desk) => {
    await desk.enqueue({ id: "t", payload: { account: 7 }, priority: 3 });
    await desk.settle(
      "q",
      { state: "retry", delayMs: 0, error: "The server was busy." },
      "one\n\u001b[31mtwo\n",
    );
    await desk.settle("q", { state: "dead", error: "No such user." });
    const out = await desk.pawl("task", "t");
    assert.match(out, /^task t {2}dead\n/);
    assert.match(out, /\n {2}queue +q, priority 3\n/);
    assert.match(out, /\n {2}input +\{"account":7\}\n/);
    assert.match(
      out,
      /#1 {2}[-\d]+ [:\d]+ UTC {2}[\d.]+ m?s {2}retry {2}somebody\n +The server was busy\.\n +\| one\n +\| two\n/,
    );
    assert.match(out, /#2 .* dead {2}somebody\n +No such user\.\n/);
    const [task] = await desk.json("task", "t");
    assert.deepEqual(
      task.attempts.map(({ attempt, result, error, log }: Record<string, unknown>) => [
        attempt,
        result,
        error,
        log,
      ]),
      [
        [1, "retry", "The server was busy.", "one\n\u001b[31mtwo\n"],
        [2, "dead", "No such user.", null],
      ],
    );
    assert.deepEqual([task.id, task.state, task.failures, task.payload], ["t", "dead", 2, { account: 7 }]);
    assert.match(task.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.match(await desk.pawl("dead"), /\nt +dead +work +q +\d+ s +2 +No such user\.\n$/);
  },

  "a flow shows its links, and of a group how many members have ended": async (desk) => {
    await desk.store.enqueue(
      [
        { id: "f:1", queue: "q", name: "begin", payload: null, flow: "f" },
        { id: "f:2", queue: "q", name: "body", payload: null, flow: "f", held: true },
        {
          id: "f:2/0",
          queue: "m",
          name: "part",
          payload: null,
          flow: "f",
          childOf: { group: "f:2", index: 0 },
        },
        {
          id: "f:2/1",
          queue: "m",
          name: "part",
          payload: null,
          flow: "f",
          childOf: { group: "f:2", index: 1 },
        },
      ],
      { groups: [{ id: "f:2", children: 2, need: "all", callback: "f:2" }] },
    );
    await desk.settle("m", { state: "succeeded" });
    const flow = await desk.pawl("task", "f");
    assert.match(flow, /^flow f\n.*\n +f:1 {2}waiting {2}begin\n +f:2 {2}waiting {2}body\n$/);
    assert.match(await desk.pawl("task", "f:2"), /\n {2}members +1 of 2 succeeded\n/);
    assert.match(await desk.pawl("task", "f:2/1"), /\n {2}member +1 of f:2: 1 of 2 succeeded\n/);
    const [seen] = await desk.json("task", "f");
    assert.deepEqual(
      seen.flow.links.map(({ id }: { id: string }) => id),
      ["f:1", "f:2"],
    );
  },

  "queues show what waits, what ended and since when, whatever the time zone": async (desk) => {
    await desk.enqueue({ id: "a" }, { id: "b", queue: "later", delayMs: 60_000 }, { id: "c" });
    await desk.settle("q", { state: "succeeded" });
    const [queues] = await desk.json("queues");
    const [later, q] = queues;
    assert.deepEqual([later.queue, later.waiting, later.oldestSeconds], ["later", 1, null]);
    assert.deepEqual([q.queue, q.waiting, q.succeeded, q.paused], ["q", 1, 1, false]);
    assert.ok(q.oldestSeconds >= 0);
    assert.match(await desk.pawl("queues"), /\nlater +1 +0 +0 +0 +0 +-\nq +1 +0 +0 +1 +0 +\d+ s\n$/);
  },

  "a worker is seen while it works, with what it does": async (desk) => {
    await desk.enqueue({ id: "t" });
    const worker = desk.scene.start(["worker", MODULE, "--queues", "q:3", "--store", "env:STORE_OF_TASKS"], {
      env: { STORE_OF_TASKS: desk.address, PAWL_STORE: "" },
    });
    await until("the task makes progress", async () => {
      const [task] = await desk.store.query({ ids: ["t"] });
      return task?.state === "leased" && task.progress !== null;
    });
    const [[seen]] = await desk.json("workers");
    assert.deepEqual(
      [seen.state, seen.pid, seen.queues, seen.slots],
      ["running", worker.child.pid, ["q"], 3],
    );
    assert.match(await desk.pawl("workers"), /\n[^ ]+:\d+ +running +\d of 3 .* q\n$/);
    assert.match(await desk.pawl("tasks"), /\nt +leased .* 50 of 100 drawing, on [^ ]+:\d+\n$/);
    assert.match(await desk.pawl("cancel", "t"), /^task t is asked to stop\n$/);
    await until("it is cancelled", async () => (await desk.states()).t === "cancelled");
    worker.child.kill("SIGTERM");
    assert.equal((await worker.ended).code, 0);
    assert.match(await desk.pawl("workers"), /^no workers/);
  },
};
