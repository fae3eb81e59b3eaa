import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { NewGroup, NewTask, Store } from "../../../src/store/index.ts";
import { randomFrom, seed } from "../../random.ts";
import type { Current, StoreUnderTest } from "../conformance.ts";
import { RATE } from "./chaos-process.ts";
import { newTask } from "./tasks.ts";

const DRAIN = new URL("./drain-process.ts", import.meta.url).pathname;
const CHAOS = new URL("./chaos-process.ts", import.meta.url).pathname;

/** Processes that claim and settle until the queue is empty; each reports the ids it worked on. */
async function drain(address: string, count: number): Promise<string[][]> {
  const run = promisify(execFile);
  return await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const { stdout } = await run(process.execPath, [DRAIN, address, `worker-${n}`], { maxBuffer: 1e7 });
      return JSON.parse(stdout) as string[];
    }),
  );
}

const JOINS = 12;
const MEMBERS = 10;
const TICKS = 30;

/** A group whose children are the callbacks of groups, tasks that have a rate, and a schedule. */
async function fill(store: Store): Promise<void> {
  const tasks: NewTask[] = [newTask("top.callback", { held: true })];
  const groups: NewGroup[] = [{ id: "top", children: JOINS, need: "all", callback: "top.callback" }];
  for (let j = 0; j < JOINS; j++) {
    tasks.push(newTask(`j${j}.callback`, { held: true, childOf: { group: "top", index: j } }));
    groups.push({ id: `j${j}`, children: MEMBERS, need: "all", callback: `j${j}.callback` });
    for (let index = 0; index < MEMBERS; index++) {
      tasks.push(newTask(`j${j}.${index}`, { childOf: { group: `j${j}`, index } }));
    }
  }
  for (let n = 0; n < 30; n++) tasks.push(newTask(`slow${n}`, { bucket: RATE.bucket }));
  await store.enqueue(tasks, { groups });
  const now = await store.now();
  await store.putSchedule({ id: "s", spec: now + 20 * TICKS, task: null, next: now });
}

/** Workers of which one after the other is killed, `kills` times, and replaced; returns every claim they told of. */
async function chaos({ store, clock }: StoreUnderTest, kills: number, random: () => number) {
  const told: string[] = [];
  const dead: string[] = [];
  let started = 0;
  let killed = 0;
  /** Runs a worker, and those that replace it, until one ends by itself. */
  const work = async (): Promise<void> => {
    const worker = `w${started++}`;
    const child = spawn(process.execPath, [CHAOS, store.address, worker, ...dead], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const closed = once(child, "close");
    let patience = 1 + Math.floor(random() * 20);
    createInterface({ input: child.stdout }).on("line", (line) => {
      told.push(line);
      if (--patience > 0 || killed >= kills || child.killed) return;
      killed++;
      child.kill("SIGKILL");
    });
    const [code, signal] = await closed;
    if (signal === "SIGKILL") {
      dead.push(worker);
      await work();
    } else assert.equal(code, 0, `the worker ${worker} ends well`);
  };
  let over = false;
  const passing = (async () => {
    // Where the store's clock is the test's, the test must let time pass.
    while (!over) {
      clock.advance(10);
      await store.now();
      await sleep(5);
    }
  })();
  await Promise.all([work(), work(), work()]).finally(() => {
    over = true;
  });
  await passing;
  assert.equal(killed, kills);
  return told;
}

export function processes(current: Current): void {
  test("processes that claim from one queue never share a task and leave none", async () => {
    const { store } = current();
    const tasks = Array.from({ length: 240 }, (_, n) => newTask(`t${n}`, { priority: n % 3 }));
    await store.enqueue(tasks);
    const worked = (await drain(store.address, 4)).flat();
    assert.equal(worked.length, 240);
    assert.equal(new Set(worked).size, 240);
    assert.equal((await store.query({ queue: "q", states: ["succeeded"] })).length, 240);
    for (const task of await store.query({ queue: "q" })) {
      assert.deepEqual([task.fence, task.result], [1, task.worker]);
    }
    const [queue] = await store.queues();
    assert.deepEqual(queue?.counts, { waiting: 0, leased: 0, succeeded: 240, dead: 0, cancelled: 0 });
  });

  test("children that end in many processes at a time are all counted, and the callback goes once", async () => {
    const { store } = current();
    const children = Array.from({ length: 250 }, (_, index) =>
      newTask(`m${index}`, { childOf: { group: "j", index } }),
    );
    await store.enqueue([newTask("callback", { held: true, priority: -1 }), ...children], {
      groups: [{ id: "j", children: 250, need: "all", callback: "callback" }],
    });
    const worked = (await drain(store.address, 4)).flat();
    const group = await store.group("j");
    assert.deepEqual([group?.state, group?.succeeded, group?.failed], ["released", 250, 0]);
    // The others may have found the queue empty before the last child let the callback go.
    if (!worked.includes("callback")) worked.push(...(await drain(store.address, 1)).flat());
    assert.equal(worked.length, 251);
    assert.equal(new Set(worked).size, 251);
  });

  test("processes that are killed at any moment lose no child, run no callback early and fire no tick twice", async (t: TestContext) => {
    const under = current();
    const { store } = under;
    t.diagnostic(`seed ${seed}`);
    await fill(store);
    const told = await chaos(under, 8, randomFrom(seed));
    assert.equal(new Set(told).size, told.length, "no fence is given twice");
    for (let j = 0; j < JOINS; j++) {
      const group = await store.group(`j${j}`);
      assert.deepEqual([group?.state, group?.succeeded, group?.failed], ["released", MEMBERS, 0]);
      const children = await store.children(`j${j}`, { limit: 99, states: ["succeeded"] });
      assert.deepEqual(
        children.map(({ task }) => task),
        Array.from({ length: MEMBERS }, (_, n) => `j${j}.${n}${n % 5 === 4 ? "+" : ""}`),
      );
    }
    const all = await store.query({ queue: "q" });
    const { state, settledAt } = all.find(({ id }) => id === "top.callback") ?? {};
    assert.equal(state, "succeeded");
    const startsOfBucket: number[] = [];
    for (const { id } of all) {
      const attempts = await store.attempts(id);
      assert.ok(attempts.filter(({ result }) => result === "succeeded").length <= 1, `${id} ended once`);
      if (!id.endsWith("callback")) continue;
      // What let it go ended before it began.
      const children = await store.children(id.slice(0, -".callback".length), { limit: 99 });
      for (const { task } of children) {
        const child = all.find((one) => one.id === task);
        assert.ok(
          (child?.settledAt ?? Number.NaN) <= (attempts[0]?.startedAt ?? Number.NaN),
          `${id} after ${task}`,
        );
      }
    }
    assert.ok(settledAt !== null);
    for (const { id } of all.filter(({ bucket }) => bucket === RATE.bucket)) {
      for (const { startedAt } of await store.attempts(id)) startsOfBucket.push(startedAt);
    }
    assert.ok(startsOfBucket.length > 0);
    startsOfBucket.sort((a, b) => a - b);
    for (const [i, from] of startsOfBucket.entries()) {
      for (const [more, to] of startsOfBucket.slice(i).entries()) {
        // Both are whole milliseconds, of a clock other than that of the rate.
        const most = RATE.burst + (to - from + 2) / RATE.intervalMs;
        assert.ok(more + 1 <= most, `${more + 1} in ${to - from} ms`);
      }
    }
    const ticks = all.filter(({ id }) => id.startsWith("tick/")).map(({ id }) => id.split("/")[1]);
    assert.ok(ticks.length > 0 && ticks.length <= TICKS, `it fired ${ticks.length} times`);
    assert.equal(new Set(ticks).size, ticks.length, "each version fired once");
  });
}
