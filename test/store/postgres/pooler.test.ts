/** Behind a pooler that hands a session to another client after each transaction. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openStore } from "../../../src/store/index.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";
import { newTask, settle } from "../conformance/tasks.ts";
import { FaultyLink } from "./faulty-link.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(async () => {
  await server.stop();
});

const request = { queues: ["q"], leaseMs: 60_000, worker: "w" };

test("nothing is left in a session that a later transaction needs or would stumble over", async () => {
  const { proxy, url } = await FaultyLink.before(`${server.url}?schema=sessions`);
  await using _proxy = proxy;
  const said: string[] = [];
  proxy.stops = (piece) => {
    said.push(piece.toString("latin1"));
    return false;
  };
  await using store = await openStore(`${url}&listen=off`);
  await store.enqueue([newTask("t"), newTask("u", { bucket: "l" })]);
  const [claim] = await store.claim({ ...request, n: 1 });
  assert.ok(claim);
  await settle(store, claim, { state: "retry", delayMs: 0, error: "again" });
  const rate = { bucket: "l", intervalMs: 10, burst: 1 };
  assert.equal((await store.claim({ ...request, n: 1, buckets: [rate] })).length, 1);
  await store.makeClaimable({ queue: "q" });
  await store.requestCancel({ queue: "q" });
  await using hands = await TestClient.connect(server.url);
  // Settings that outlive a transaction would be seen in a session that is idle now.
  const all = said.join("");
  assert.doesNotMatch(all, /\bLISTEN |\bPREPARE |pg_advisory_lock|\bTEMP |SET SESSION|Q....SET /i);
  assert.doesNotMatch(all, /set_config\([^)]*false\)/);
  // A statement that is parsed under a name stays in the session: `P`, the length, the name.
  assert.doesNotMatch(all, /P\0\0..[a-z0-9_]+\0(SELECT|INSERT|UPDATE|WITH|DELETE)/i);
  const held = await hands.query(
    "SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = current_database()",
  );
  assert.equal(held.length, 0);
});

test("a store that cannot be notified looks, and hears of what others did", async () => {
  const url = `${server.url}?schema=looking&listen=off`;
  await using store = await openStore(url);
  await using other = await openStore(url);
  const called = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const alive = setInterval(() => {}, 1_000);
    const stop = store.onClaimable(() => {
      clearInterval(alive);
      stop();
      resolve();
    });
    return promise;
  };
  const enqueued = called();
  await other.enqueue([newTask("t")]);
  await enqueued;
  const [claim] = await other.claim({ ...request, n: 1 });
  assert.ok(claim);
  const handedBack = called();
  await settle(other, claim, { state: "retry", delayMs: 0, error: "again" });
  await handedBack;
});
