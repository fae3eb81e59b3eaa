/** The tables: made once, brought forward, and left alone by programs that do not know them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { openStore, PawlError, type Store } from "../../../src/store/index.ts";
import { parseAddress } from "../../../src/store/postgres/address.ts";
import { explain } from "../../../src/store/postgres/errors.ts";
import { migrate, migrations } from "../../../src/store/postgres/schema.ts";
import { TransactionRunner } from "../../../src/store/postgres/transaction-runner.ts";
import { databaseUrl, TestClient, TestServer } from "../../connect/postgres/server.ts";
import { newTask } from "../conformance/tasks.ts";

const DRAIN = new URL("../conformance/drain-process.ts", import.meta.url).pathname;

let server: TestServer;
let hands: TestClient;
before(async () => {
  server = await TestServer.shared();
  hands = await TestClient.connect(server.url);
});
after(async () => {
  await hands[Symbol.asyncDispose]();
  await server.stop();
});

async function refused(url: string, code: string): Promise<PawlError> {
  const error = await openStore(url).then(
    async (store) => {
      await store.close();
      return undefined;
    },
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PawlError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, /^[^\n]+\.$/);
  return error;
}

test("processes that open a new store at the same moment make its tables once", async () => {
  const url = `${server.url}?schema=together`;
  const run = promisify(execFile);
  const outputs = await Promise.all([0, 1, 2, 3, 4].map((n) => run(process.execPath, [DRAIN, url, `w${n}`])));
  for (const { stdout } of outputs) assert.equal(stdout, "[]");
  const stores: Store[] = await Promise.all([openStore(url), openStore(url), openStore(url)]);
  assert.deepEqual(await stores[0]?.enqueue([newTask("t")]), ["t"]);
  for (const store of stores) await store.close();
  const [row] = await hands.query("SELECT count(*)::int AS n, max(version) AS version FROM together.version");
  assert.deepEqual(row, { n: 1, version: migrations.length });
});

test("each schema is a store of its own, and the default is called pawl", async () => {
  await using one = await openStore(`${server.url}?schema=one`);
  await using two = await openStore(`${server.url}?schema=two`);
  await using named = await openStore(server.url);
  await one.enqueue([newTask("t")]);
  assert.equal((await two.query({ queue: "q" })).length + (await named.query({ queue: "q" })).length, 0);
  const [row] = await hands.query("SELECT to_regclass('pawl.task') IS NOT NULL AS there");
  assert.deepEqual(row, { there: true });
  assert.equal(one.address, `${server.url}?schema=one`);
  assert.match(one.location, /schema=one$/);
  assert.ok(!one.location.includes(new URL(server.url).password));
});

test("a schema that a newer program has changed is used as long as it allows that, then refused and left as it is", async () => {
  const url = `${server.url}?schema=newer`;
  await (await openStore(url)).close();
  const newer = migrations.length + 1;
  await hands.query(
    `UPDATE newer.version SET version = ${newer}, min_compatible_version = ${migrations.length}`,
  );
  await using old = await openStore(url);
  assert.deepEqual(await old.enqueue([newTask("t")]), ["t"]);
  await hands.query(`UPDATE newer.version SET version = ${newer}, min_compatible_version = ${newer}`);
  await refused(url, "store.newer");
  // Nor does one write that had it open before.
  await assert.rejects(old.enqueue([newTask("u")]), { code: "store.newer" });
  assert.equal((await hands.query("SELECT id FROM newer.task")).length, 1);
  const [row] = await hands.query("SELECT version FROM newer.version");
  assert.deepEqual(row, { version: newer });
});

test("a migration that fails half-way leaves nothing behind, and the next attempt makes it", async () => {
  const address = parseAddress(`${server.url}?schema=forward`);
  const database = new TransactionRunner(address);
  await migrate(database);
  const added = { minCompatibleVersion: 1, sql: "ALTER TABLE pawl.task ADD COLUMN shade text" };
  const broken = { minCompatibleVersion: 1, sql: `${added.sql}; SELECT 1 / 0` };
  await assert.rejects(migrate(database, { steps: [...migrations, broken] }), PawlError);
  const columns =
    "SELECT FROM information_schema.columns WHERE table_schema = 'forward' AND column_name = 'shade'";
  assert.equal((await hands.query(columns)).length, 0);
  const stores = await Promise.all([openStore(address.full), openStore(address.full)]);
  await Promise.all([0, 1, 2].map(() => migrate(database, { steps: [...migrations, added] })));
  assert.equal((await hands.query(columns)).length, 1);
  // Programs of before go on beside the new ones.
  assert.deepEqual(await stores[0]?.enqueue([newTask("t")]), ["t"]);
  assert.equal((await stores[1]?.claim({ queues: ["q"], n: 1, leaseMs: 1_000, worker: "w" }))?.length, 1);
  for (const store of stores) await store.close();
  await database.close();
});

test("a database that takes no writes says so in one sentence", async () => {
  await hands.query("SET default_transaction_read_only = on");
  const error = await hands.query("CREATE TABLE there (n int)").then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  await hands.query("SET default_transaction_read_only = off");
  // The store waits for a moment first, since a server that fails over takes none either.
  const explained = explain(error, "postgres://host/x");
  assert.ok(explained instanceof PawlError);
  assert.deepEqual(
    [explained.code, explained.message],
    [
      "store.read-only",
      "The database of the store postgres://host/x takes no writes: use the primary server if it is a standby, or set default_transaction_read_only = off.",
    ],
  );
});

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

test("an address that cannot be a store is refused in one sentence without its secrets", async () => {
  for (const [url, code] of [
    ["postgres://me:geheim@host:99999/x", "postgres.url"],
    [`${server.url}?schema=Public`, "store.schema"],
    [`${server.url}?schema=pg_own`, "store.schema"],
    [`${server.url}?schema=a;drop`, "store.schema"],
    [`${server.url}?listen=perhaps`, "store.listen"],
    [databaseUrl(server.url, "nowhere"), "postgres.3D000"],
    [server.url.replace(/:[^:@]+@/, ":geheim@"), "postgres.28P01"],
    [server.url.replace(/:[^:@]+@/, "@"), "postgres.password"],
  ] as const) {
    const open = openSockets();
    const error = await refused(url, code);
    assert.ok(!error.message.includes("geheim"), error.message);
    assert.ok(!error.message.includes(new URL(server.url).password), error.message);
    // The server waits a minute for the rest of a login, and lets no session make or remove a database meanwhile.
    for (let turn = 0; turn < 1_000 && openSockets() > open; turn++) await nextTurn();
    assert.equal(openSockets(), open, `a connection to ${code} stays open`);
  }
  await assert.rejects(openStore("mysql://host/db"), { code: "store.unsupported" });
});

test("a user without the right to make a schema is told so, and may be given one", async () => {
  const worker = server.roleName("worker");
  await hands.query(`CREATE ROLE ${worker} LOGIN PASSWORD 'w'`);
  const own = new URL(`${server.url}?schema=given`);
  own.username = worker;
  own.password = "w";
  await refused(own.href, "postgres.42501");
  await hands.query(`CREATE SCHEMA given AUTHORIZATION ${worker}`);
  await using store = await openStore(own.href);
  assert.deepEqual(await store.enqueue([newTask("t")]), ["t"]);
});
