/** What a store in PostgreSQL does beyond the contract's letter: the caller's transactions, many at once, news. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import pg from "pg";
import { openStore, PawlError, type Store } from "../../../src/store/index.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";
import { newTask, settle, settlement } from "../conformance/tasks.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(async () => {
  await server.stop();
});

let schemas = 0;
let url: string;
beforeEach(() => {
  url = `${server.url}?schema=own_${++schemas}`;
});

const request = { queues: ["q"], leaseMs: 60_000, worker: "w" };

function called(store: Store, listen: "onClaimable" | "onSettled" = "onClaimable"): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const alive = setInterval(() => {}, 1_000);
  const stop = store[listen](() => {
    clearInterval(alive);
    stop();
    resolve();
  });
  return promise;
}

for (const pipeline of [false, true]) {
  test(`what is enqueued in a transaction of the caller's comes with it, or not at all (${pipeline})`, async () => {
    await using store = await openStore(url);
    const client = new pg.Client({ connectionString: server.url, pipeline });
    await client.connect();
    try {
      const childOf = { group: "j", index: 0 };
      const groups = [{ id: "j", children: 1, need: "all", callback: "callback" }] as const;
      const tasks = [newTask("callback", { held: true }), newTask("t", { childOf })];
      await client.query("BEGIN");
      assert.deepEqual(await store.enqueue(tasks, { tx: client, groups }), ["callback", "t"]);
      assert.deepEqual(await store.query({ queue: "q" }), []);
      await client.query("ROLLBACK");
      assert.deepEqual(await store.query({ queue: "q" }), []);
      assert.equal((await store.queues()).length, 0);
      await client.query("BEGIN");
      await store.enqueue(tasks, { tx: client, groups });
      assert.deepEqual(await store.claim({ ...request, n: 9 }), []);
      const heard = called(store);
      await client.query("COMMIT");
      await heard;
      assert.equal((await store.claim({ ...request, n: 9 })).length, 1);
      await assert.rejects(store.enqueue([newTask("u")], { tx: {} }), TypeError);
    } finally {
      await client.end();
    }
  });
}

test("many that settle, fail, cancel and release children of nested groups at once come to one end", async () => {
  const stores = await Promise.all([0, 1, 2, 3].map(() => openStore(url)));
  const store = stores[0] as Store;
  const parts = 6;
  const size = 30;
  const tasks = [newTask("top", { held: true, flow: "g" })];
  const groups = [{ id: "top", children: parts, need: parts - 2, callback: "top" }] as Parameters<
    typeof store.enqueue
  >[1] extends { groups?: readonly (infer J)[] } | undefined
    ? J[]
    : never;
  for (let part = 0; part < parts; part++) {
    const callback = `part${part}`;
    tasks.push(newTask(callback, { held: true, flow: "g", childOf: { group: "top", index: part } }));
    groups.push({ id: callback, children: size, need: "all", callback });
    for (let index = 0; index < size; index++) {
      tasks.push(newTask(`${callback}.${index}`, { flow: "g", childOf: { group: callback, index } }));
    }
  }
  await store.enqueue(tasks, { groups });
  let failures = 3;
  const work = async (own: Store) => {
    for (;;) {
      const claims = await own.claim({ ...request, n: 4 });
      await own.settle(
        claims.map((claim) => {
          const fails = failures > 0 && /\.17$/.test(claim.id) && failures-- > 0;
          return settlement(claim, fails ? { state: "dead", error: "broken" } : { state: "succeeded" });
        }),
      );
      if (claims.length > 0) continue;
      const [top] = await own.query({ ids: ["top"] });
      if (top?.state === "succeeded") return;
      if (top?.state === "dead") await own.makeClaimable({ flow: "g", states: ["dead", "cancelled"] });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all(stores.map(work));
  const all = await store.query({ flow: "g" });
  assert.ok(all.every(({ state }) => state !== "waiting" && state !== "leased"));
  for (let part = 0; part < parts; part++) {
    const group = await store.group(`part${part}`);
    const states = all.filter(({ childOf }) => childOf?.group === `part${part}`).map(({ state }) => state);
    assert.equal(group?.succeeded, states.filter((state) => state === "succeeded").length);
    assert.equal(group?.failed, states.filter((state) => state !== "succeeded").length);
  }
  const top = await store.group("top");
  assert.equal(top?.state, "released");
  assert.ok((top?.succeeded ?? 0) >= parts - 2);
  const [counts] = (await store.queues()).map((queue) => queue.counts);
  for (const state of ["waiting", "leased", "succeeded", "dead", "cancelled"] as const) {
    assert.equal(counts?.[state], all.filter((task) => task.state === state).length, state);
  }
  for (const own of stores) await own.close();
});

test("counts stay right while their lines are folded", async () => {
  const stores = await Promise.all([0, 1, 2].map(() => openStore(url)));
  await Promise.all(
    stores.map(async (own, who) => {
      for (let n = 0; n < 400; n++) await own.enqueue([newTask(`${who}.${n}`)]);
    }),
  );
  await Promise.all(stores.map((own) => own.close()));
  await using store = await openStore(url);
  assert.equal((await store.queues())[0]?.counts.waiting, 1_200);
  await using hands = await TestClient.connect(server.url);
  const [row] = await hands.query<{ n: number }>(`SELECT count(*)::int AS n FROM own_${schemas}.queue_count`);
  assert.ok((row?.n ?? 0) < 1_200, `${row?.n} lines`);
});

test("a listener whose connection is cut hears again, and of what it missed", async () => {
  await using store = await openStore(url);
  await using other = await openStore(url);
  const first = called(store);
  await other.enqueue([newTask("t")]);
  await first;
  // Stays from here on, so that the connection is there to be cut.
  let rings = 0;
  const stop = store.onClaimable(() => rings++);
  await using hands = await TestClient.connect(server.url);
  const listening =
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pawl listener' AND query LIKE 'LISTEN%'";
  let pids: { pid: number }[] = [];
  while (pids.length === 0) pids = await hands.query<{ pid: number }>(listening);
  for (const { pid } of pids) await hands.query("SELECT pg_terminate_backend($1)", [pid]);
  const before = rings;
  while (rings === before) await new Promise((resolve) => setTimeout(resolve, 5));
  const heard = called(store);
  await other.enqueue([newTask("u")]);
  await heard;
  stop();
  const settled = called(store, "onSettled");
  const [claim] = await other.claim({ ...request, n: 1 });
  assert.ok(claim);
  await settle(other, claim, { state: "succeeded" });
  await settled;
});

test("texts that the server cannot keep do no harm", async () => {
  await using store = await openStore(url);
  await store.enqueue([newTask("t", { payload: { "\0": "\0\ud800" } })]);
  const [claim] = await store.claim({ ...request, n: 1 });
  assert.deepEqual(claim?.task.payload, { "\0": "\0\ud800" });
  assert.ok(claim);
  await store.settle([
    { ...settlement(claim, { state: "dead", error: 'a\0b "quoted" \\ {x,y}' }), log: "c\0d" },
  ]);
  const [task] = await store.query({ queue: "q" });
  assert.equal(task?.error, 'a\u2400b "quoted" \\ {x,y}');
  assert.equal((await store.attempts("t"))[0]?.log, "c\u2400d");
  await assert.rejects(store.enqueue([newTask("nul\0")]), PawlError);
  const odd = ["NULL", "", '"', "\\", "{}", "a,b", " ", "'; DROP TABLE pawl.task; --", "$1", "\n"];
  assert.deepEqual(await store.enqueue(odd.map((id) => newTask(id, { queue: id, name: id }))), odd);
  assert.deepEqual(
    (await store.query({ ids: odd })).map(({ id }) => id),
    odd,
  );
});

test("a batch of tens of thousands is one step", async () => {
  await using store = await openStore(url);
  const many = Array.from({ length: 30_000 }, (_, n) => newTask(`t${n}`));
  await assert.rejects(store.enqueue([...many, newTask("x", { delayMs: Number.NaN })]), {
    code: "store.unstorable",
  });
  assert.deepEqual(await store.query({ queue: "q" }), []);
  assert.equal((await store.enqueue(many)).length, 30_000);
  assert.equal(await store.requestCancel({ queue: "q" }), 30_000);
  assert.equal(await store.makeClaimable({ queue: "q" }), 30_000);
  assert.equal((await store.queues())[0]?.counts.waiting, 30_000);
});
