/** Lost replies, broken connections and servers that restart: what was asked for happens once, or not at all. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { startEmbedded, stopEmbedded } from "../../../src/connect/postgres/index.ts";
import { type Store, TransientError } from "../../../src/store/index.ts";
import { openPostgresStore } from "../../../src/store/postgres/open.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";
import { randomFrom, seed } from "../../random.ts";
import { newTask, settle, settlement } from "../conformance/tasks.ts";
import { answersCommit, asksCommit, FaultyLink } from "./faulty-link.ts";

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
  url = `${server.url}?schema=trouble_${++schemas}`;
});

const request = { queues: ["q"], leaseMs: 60_000, worker: "w" };

/** Cuts the link at the next piece that `which` recognizes, once. */
function once(which: (piece: Buffer) => boolean): (piece: Buffer) => boolean {
  let done = false;
  return (piece) => {
    if (done || !which(piece)) return false;
    done = true;
    return true;
  };
}

async function countsOf(store: Store) {
  const [queue] = await store.queues();
  return queue?.counts;
}

describe("a reply that is lost", () => {
  for (const how of ["both", "client"] as const) {
    test(`to an enqueue, a claim and a settlement changes nothing in what is told (${how})`, async () => {
      const { proxy, url: through } = await FaultyLink.before(url);
      await using _proxy = proxy;
      await using store = await openPostgresStore(through);
      proxy.how = how;
      const lose = async <T>(work: () => Promise<T>): Promise<T> => {
        const cuts = proxy.cuts;
        proxy.swallows = once(answersCommit);
        const result = await work();
        assert.equal(proxy.cuts, cuts + 1, "a reply was lost");
        return result;
      };
      const batch = Array.from({ length: 50 }, (_, n) => newTask(`t${n}`));
      assert.equal((await lose(() => store.enqueue(batch))).length, 50);
      const claims = await lose(() => store.claim({ ...request, n: 30 }));
      assert.equal(claims.length, 30);
      assert.ok(claims.every(({ fence }) => fence === 1));
      const { lost } = await lose(() =>
        store.settle(claims.map((claim) => settlement(claim, { state: "succeeded", value: 1 }))),
      );
      assert.deepEqual(lost, [], "it was this very settlement that went through");
      assert.deepEqual(await countsOf(store), {
        waiting: 20,
        leased: 0,
        succeeded: 30,
        dead: 0,
        cancelled: 0,
      });
    });
  }

  test("to a run, its sample and its quarantine leaves one of each", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through);
    const lose = async <T>(work: () => Promise<T>): Promise<T> => {
      proxy.swallows = once(answersCommit);
      return await work();
    };
    const job = { name: "load", module: null, params: null };
    const { created } = await lose(() => store.createRun({ id: "r", job, key: "k", identity: null }));
    assert.equal(created, true);
    await lose(() => store.addSample("r", 1));
    assert.equal((await store.samples("r")).length, 1);
    const item = { shard: 0, ordinal: 1, raw: Buffer.from("x"), at: "line 1", reason: "bad", code: null };
    await lose(() => store.quarantine("r", 0, 0, [item]));
    assert.equal(await store.quarantineCount("r"), 1);
    assert.equal(await lose(() => store.updateRun("r", ["pending"], { state: "running" })), true);
    assert.equal(proxy.cuts, 4);
  });

  test("while the question has not arrived is asked again", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through);
    // The server does not notice: its transaction stays open until it is ended.
    proxy.how = "client";
    proxy.stops = once(asksCommit);
    assert.deepEqual(await store.enqueue([newTask("t")]), ["t"]);
    proxy.stops = once(asksCommit);
    const [claim] = await store.claim({ ...request, n: 1 });
    assert.equal(claim?.fence, 1);
    proxy.stops = once(asksCommit);
    assert.ok(claim);
    assert.deepEqual(await settle(store, claim, { state: "succeeded" }), { lost: [] });
    assert.equal(proxy.cuts, 3);
  });

  test("while the question about several queues and buckets has not arrived is asked again", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through);
    proxy.how = "client";
    const rate = { bucket: "slow", intervalMs: 60_000, burst: 1 };
    await store.enqueue([newTask("t"), newTask("u", { bucket: "slow" }), newTask("v", { bucket: "slow" })]);
    for (const [asked, ids] of [
      [{ ...request, queues: ["q", "other"], n: 1 }, ["t"]],
      [{ ...request, buckets: [rate], n: 5 }, ["u"]],
    ] as const) {
      proxy.stops = once(asksCommit);
      const claims = await store.claim(asked);
      assert.deepEqual(
        claims.map(({ id }) => id),
        ids,
      );
      // Otherwise what it says would be held nowhere.
      assert.deepEqual((await store.renew(claims, 60_000)).lost, []);
    }
    await store.recordChanges(60_000);
    await store.enqueue([newTask("w")]);
    proxy.stops = once(asksCommit);
    const { changes } = await store.changes(0, 10);
    assert.equal(changes.length, 1);
    assert.deepEqual((await store.changes(0, 10)).changes, changes, "they keep their numbers");
    assert.equal(proxy.cuts, 3);
  });

  test("to any question is asked for again, and hurts no other", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through);
    const rate = { bucket: "slow", intervalMs: 60_000, burst: 1 };
    await store.enqueue([newTask("t"), newTask("u", { bucket: "slow" })]);
    const beat = { id: "w", host: "h", pid: 1, slots: 1, memory: 1, running: [], rates: {} } as const;
    const questions: readonly (() => Promise<unknown>)[] = [
      () => store.claimableInMs(["q", "r"], [rate]),
      () => store.queues(),
      () => store.heartbeat({ ...beat, queues: ["q"], state: "running" }),
      () => store.workers(60_000),
      () => store.sweep({ deadWorkers: ["v"], poisonAfter: 5 }),
      () => store.putSchedule({ id: "s", spec: null, task: null, next: 0 }),
      () => store.schedules(),
      () => store.query({ queue: "q" }),
      () => store.attempts("t"),
      () => store.requestCancel({ queue: "none" }),
      () => store.makeClaimable({ queue: "none" }),
      () => store.prune(10),
      () => store.recordChanges(60_000),
      () => store.changes(0, 10),
      () => store.claim({ ...request, queues: ["q", "r"], buckets: [rate], n: 2 }),
    ];
    // A promise that is rejected and never awaited would end the process, and fails the test.
    for (const question of questions) {
      for (let pieces = 0; pieces < 3; pieces++) {
        let left = pieces;
        proxy.swallows = () => left-- === 0;
        await question();
      }
    }
    assert.ok(proxy.cuts >= questions.length, `${proxy.cuts} links were cut`);
  });

  test("that never comes, over a connection that stays open, is not waited for longer than is allowed", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through, { replyMs: 500 });
    // Swallowed without a cut: the network holds its breath.
    let swallowed = 0;
    proxy.holds = (piece) => swallowed === 0 && answersCommit(piece) && ++swallowed > 0;
    assert.deepEqual(await store.enqueue([newTask("t")]), ["t"]);
    assert.equal(swallowed, 1);
    assert.equal((await store.query({ queue: "q" })).length, 1);
  });

  test("at random, over and over, loses no task and does none twice", async (t) => {
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const { proxy, url: through } = await FaultyLink.before(url);
    await using _proxy = proxy;
    await using store = await openPostgresStore(through, { retryMs: 120_000 });
    proxy.swallows = () => random() < 0.02;
    proxy.stops = () => random() < 0.02;
    const children = Array.from({ length: 200 }, (_, index) =>
      newTask(`m${index}`, { childOf: { group: "j", index } }),
    );
    const groups = [{ id: "j", children: children.length, need: "all", callback: "callback" }] as const;
    const added = await store.enqueue([newTask("callback", { held: true, priority: -1 }), ...children], {
      groups,
    });
    assert.equal(added.length, children.length + 1);
    const done: string[] = [];
    const work = async () => {
      while (done.length < children.length + 1) {
        proxy.how = random() < 0.5 ? "both" : "client";
        const claims = await store.claim({ ...request, n: 1 + Math.floor(random() * 9) });
        assert.ok(claims.every(({ fence }) => fence === 1));
        const outcomes = claims.map((claim) => settlement(claim, { state: "succeeded", value: null }));
        assert.deepEqual(await store.settle(outcomes), { lost: [] });
        done.push(...claims.map(({ id }) => id));
      }
    };
    await Promise.all([work(), work(), work()]);
    proxy.swallows = () => false;
    proxy.stops = () => false;
    assert.equal(new Set(done).size, children.length + 1);
    assert.equal(done.length, children.length + 1);
    assert.ok(proxy.cuts > 5, `${proxy.cuts} links were cut`);
    assert.deepEqual(await countsOf(store), {
      waiting: 0,
      leased: 0,
      succeeded: children.length + 1,
      dead: 0,
      cancelled: 0,
    });
    const group = await store.group("j");
    assert.deepEqual([group?.state, group?.succeeded, group?.failed], ["released", children.length, 0]);
  });
});

describe("a server that goes away", () => {
  test("and comes back keeps what was settled, and work goes on by itself", async () => {
    const own = await TestServer.start({ ...careful });
    try {
      await using store = await openPostgresStore(own.url, { retryMs: 120_000 });
      await store.enqueue(Array.from({ length: 300 }, (_, n) => newTask(`t${n}`)));
      let over = false;
      const done: string[] = [];
      const working = (async () => {
        while (done.length < 300) {
          const claims = await store.claim({ ...request, n: 7 });
          const outcomes = claims.map((claim) => settlement(claim, { state: "succeeded", value: null }));
          assert.deepEqual(await store.settle(outcomes), { lost: [] });
          done.push(...claims.map(({ id }) => id));
        }
        over = true;
      })();
      for (let n = 0; n < 3 && !over; n++) {
        const before = done.length;
        await stopEmbedded(own.home, n === 1 ? "fast" : "immediate");
        await startEmbedded(own.home, { settings: careful });
        while (!over && done.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await working;
      assert.equal(new Set(done).size, 300);
      assert.equal(done.length, 300);
    } finally {
      await own.stop();
    }
  });

  test("and gives the number of a transaction that was lost to another one is not misunderstood", async () => {
    const own = await TestServer.start({ ...careful });
    try {
      const { proxy, url: through } = await FaultyLink.before(own.url);
      await using _proxy = proxy;
      await using store = await openPostgresStore(through, { retryMs: 120_000 });
      await store.enqueue([newTask("before")]);
      // The COMMIT does not arrive, and for a while it cannot be asked what became of it.
      const away = Promise.withResolvers<void>();
      let isAway = false;
      proxy.stops = (piece) => {
        isAway ||= asksCommit(piece);
        if (isAway) away.resolve();
        return isAway;
      };
      const enqueued = store.enqueue([newTask("t")]);
      await away.promise;
      await stopEmbedded(own.home, "immediate");
      await startEmbedded(own.home, { settings: careful });
      await using hands = await TestClient.connect(own.url);
      for (let n = 0; n < 50; n++) await hands.query("SELECT pg_current_xact_id()");
      isAway = false;
      proxy.stops = () => false;
      assert.deepEqual(await enqueued, ["t"]);
      assert.equal((await store.query({ ids: ["t"] })).length, 1);
    } finally {
      await own.stop();
    }
  });

  test("and stays away is a trouble that may pass, told without secrets", async () => {
    const { proxy, url: through } = await FaultyLink.before(url);
    const store = await openPostgresStore(through, { retryMs: 200 });
    await proxy[Symbol.asyncDispose]();
    await assert.rejects(store.query({ queue: "q" }), (error) => {
      assert.ok(error instanceof TransientError, String(error));
      assert.equal(error.code, "postgres.unreachable");
      assert.ok(!error.message.includes(new URL(url).password), error.message);
      return true;
    });
    await store.close();
  });

  test("and ends one session of many is not noticed", async () => {
    await using store = await openPostgresStore(url);
    await store.enqueue([newTask("t")]);
    await using hands = await TestClient.connect(server.url);
    const ended = await hands.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pawl'",
    );
    assert.ok(ended.length > 0);
    assert.equal((await store.claim({ ...request, n: 5 })).length, 1);
  });
});

/** The files must survive a power cut here. */
const careful = { shared_buffers: "64MB", max_wal_size: "1GB" };

describe("a database that cannot serve", () => {
  test("because of its encoding is refused at once, in a sentence that names it", async () => {
    await using hands = await TestClient.connect(server.url);
    const name = `latin_${process.pid}`;
    await hands.query(
      `CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`,
    );
    try {
      const there = new URL(server.url);
      there.pathname = `/${name}`;
      await assert.rejects(openPostgresStore(there.href), {
        code: "store.encoding",
        message: /server_encoding is LATIN1: [^\n]+\.$/,
      });
    } finally {
      await hands.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });
});
