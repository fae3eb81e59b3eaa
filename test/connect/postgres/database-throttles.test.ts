import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { findBinaries } from "../../../src/connect/postgres/embedded/binaries.ts";
import { whileBusy, whileQuery, whileReplicaLags } from "../../../src/connect/postgres/index.ts";
import { until } from "../../cli/scene.ts";
import { TestClient, TestServer } from "./server.ts";

const { signal } = new AbortController();

describe("a table in use is left alone", () => {
  let server: TestServer;
  let url: string;

  before(async () => {
    server = await TestServer.start();
    url = await server.createDatabase();
  });
  after(() => server.stop());

  it("while more connections than this are at work", async () => {
    assert.equal(await whileBusy({ url, connections: 0 })(signal), null);
    const clients = await Promise.all([1, 2].map(() => TestClient.connect(url)));
    const sleeping = clients.map((client) => client.query("SELECT pg_sleep(60)").catch(() => {}));
    await until("both are at work", async () => (await whileBusy({ url, connections: 1 })(signal)) !== null);
    assert.equal(await whileBusy({ url, connections: 1 })(signal), "2 connections are at work, more than 1");
    assert.equal(await whileBusy({ url, connections: 2 })(signal), null);
    await using killer = await TestClient.connect(url);
    await killer.query(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
    );
    await Promise.all(sleeping);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  it("while a query says so, with the reason that it gives", async () => {
    const answer = async (sql: string) => whileQuery({ url, sql })(signal);
    for (const sql of [
      "SELECT false",
      "SELECT 0",
      "SELECT null",
      "SELECT ''",
      "SELECT '0'",
      "SELECT 1 WHERE false",
      "SELECT 0::bigint",
    ])
      assert.equal(await answer(sql), null, sql);
    for (const sql of [
      "SELECT true",
      "SELECT 3",
      "SELECT 4::bigint",
      "SELECT count(*) FROM generate_series(1, 2)",
    ])
      assert.equal(await answer(sql), "the query says to wait", sql);
    assert.equal(await answer("SELECT 'a migration is on'"), "a migration is on");
    await assert.rejects(answer("SELEC"), {
      code: "postgres.pause-query",
      message: /does not work \(syntax error/,
    });
  });

  it("by a query that may only ask, whatever it tries", async () => {
    await using client = await TestClient.connect(url);
    await client.query("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
    const answer = async (sql: string) => whileQuery({ url, sql })(signal);
    const [before] = await client.query("SELECT count(*)::int AS n FROM pg_class");
    for (const sql of [
      "CREATE TABLE made (n int)",
      "WITH gone AS (DELETE FROM kept RETURNING n) SELECT n FROM gone",
    ])
      await assert.rejects(answer(sql), {
        code: "postgres.pause-query",
        message:
          /does not work \(cannot execute (CREATE TABLE|SELECT|DELETE) in a read-only transaction\): correct /,
      });
    assert.deepEqual(await client.query("SELECT n FROM kept"), [{ n: 1 }]);
    assert.deepEqual(await client.query("SELECT count(*)::int AS n FROM pg_class"), [before]);
  });

  it("asking at most once a second for all", async (t) => {
    const sql = "SELECT 'asked' = 'told'";
    const queries = t.mock.method(pg.Client.prototype, "query");
    const throttle = whileQuery({ url, sql });
    const began = performance.now();
    await Promise.all(Array.from({ length: 50 }, () => throttle(signal)));
    for (let at = 0; at < 50; at++) await throttle(signal);
    const asked = queries.mock.calls.filter((call) => JSON.stringify(call.arguments).includes(sql)).length;
    assert.ok(asked >= 1 && asked <= 1 + (performance.now() - began) / 1000, `asked ${asked} times`);
  });
});

/** Who PostgreSQL runs as when we are root, which it refuses to be. */
const NOBODY = 65534;
const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : null;
const as = account ?? {};

/** A primary and a replica that streams from it. */
class Pair implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "pawl-replica-"));
  readonly #running: ChildProcess[] = [];
  ports: readonly number[] = [];

  url(which: 0 | 1): string {
    return `postgres://postgres@127.0.0.1:${this.ports[which]}/postgres`;
  }

  async begin(): Promise<void> {
    // In a checkout that this account may not enter, they are those of the cache.
    const binaries = await findBinaries(account);
    const primary = join(this.#folder, "primary");
    const replica = join(this.#folder, "replica");
    if ("uid" in as) chownSync(this.#folder, NOBODY, NOBODY);
    execFileSync(binaries.initdb, ["-D", primary, "-U", "postgres", "-A", "trust", "--no-sync"], {
      ...as,
      stdio: "ignore",
    });
    // A copy of a cluster that is not running is a base backup.
    cpSync(primary, replica, { recursive: true });
    chmodSync(replica, 0o700);
    this.ports = [await freePort(), await freePort()];
    writeFileSync(join(replica, "standby.signal"), "");
    writeFileSync(
      join(replica, "postgresql.auto.conf"),
      `primary_conninfo = 'host=127.0.0.1 port=${this.ports[0]} user=postgres application_name=replica1'\n`,
    );
    if ("uid" in as) execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, replica]);
    [primary, replica].forEach((directory, at) => {
      const settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "shared_buffers=16MB",
        "wal_receiver_status_interval=1",
        "wal_keep_size=256MB",
      ];
      const args = [
        "-D",
        directory,
        "-p",
        String(this.ports[at]),
        ...settings.flatMap((setting) => ["-c", setting]),
      ];
      this.#running.push(spawn(binaries.postgres, args, { ...as, stdio: "ignore" }));
    });
    for (const which of [0, 1] as const) {
      await until("the server answers", () =>
        TestClient.connect(this.url(which)).then(
          async (client) => {
            await client[Symbol.asyncDispose]();
            return true;
          },
          () => false,
        ),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#running) {
      if (server.exitCode !== null) continue;
      const ended = once(server, "exit");
      server.kill("SIGQUIT");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

it("a table in use is left alone while a replica lags behind, in time or in bytes", async () => {
  await using pair = new Pair();
  await pair.begin();
  const url = pair.url(0);
  await using primary = await TestClient.connect(url);
  await using replica = await TestClient.connect(pair.url(1));
  const seconds = whileReplicaLags({ url, delay: "2s" });
  const bytes = whileReplicaLags({ url, size: "1MB" });
  await primary.query("CREATE TABLE t (v text)");
  const streaming = "SELECT FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn IS NOT NULL";
  await until("the replica follows", async () => (await primary.query(streaming)).length === 1);
  await until(
    "it has caught up",
    async () => (await seconds(signal)) === null && (await bytes(signal)) === null,
  );

  await replica.query("SELECT pg_wal_replay_pause()");
  await primary.query("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
  await until("it is behind in bytes", async () => (await bytes(signal)) !== null);
  assert.match((await bytes(signal)) ?? "", /^the replica replica1 is [\d.]+ MB behind, more than 1 MB$/);
  // It reports nothing new while it stands still, and yet it falls behind.
  await until("it is behind in time", async () => (await seconds(signal)) !== null);
  assert.match((await seconds(signal)) ?? "", /^the replica replica1 is \d+ s behind, more than 2 s$/);

  await replica.query("SELECT pg_wal_replay_resume()");
  await until(
    "it has caught up again",
    async () => (await seconds(signal)) === null && (await bytes(signal)) === null,
  );

  await primary.query("CREATE ROLE modest LOGIN");
  const modest = new URL(url);
  modest.username = "modest";
  await assert.rejects(async () => whileReplicaLags({ url: modest.href, delay: "1s" })(signal), {
    code: "postgres.permission",
    message: /GRANT pg_monitor/,
  });
});
