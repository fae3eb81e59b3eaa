import assert from "node:assert/strict";
import { test } from "node:test";
import { postgres } from "../../../../src/connect/postgres/index.ts";
import { LostError, TransientError } from "../../../../src/errors.ts";
import { useDatabase } from "../scene.ts";
import { databaseUrl, TestClient } from "../server.ts";
import { checkpoint, context, csvChunk, write } from "./chunks.ts";

const db = useDatabase(({ client }) => client.query("CREATE TABLE t (id int PRIMARY KEY, v text)"));

const columns = ["id", "v"];

function open(run: string, target = db.url) {
  return postgres({ url: target, table: "t" }).open(context(columns, { run }));
}

test("a checkpoint is committed with its rows and found again", async () => {
  const sink = await open("a");
  const first = await sink.writer(0, 1);
  assert.equal(first.checkpoint, null);
  await write(first, csvChunk(columns, ["1,a", "2,b"]));
  await first.close();
  const second = await sink.writer(0, 2);
  assert.deepEqual(second.checkpoint, checkpoint(2));
  await second.finish(checkpoint(2, true));
  await second.close();
  const third = await sink.writer(0, 2);
  assert.equal(third.checkpoint?.done, true);
  await third.close();
});

test("nothing of a chunk is there when its checkpoint cannot be built", async () => {
  const sink = await open("b");
  const writer = await sink.writer(0, 1);
  const chunk = csvChunk(columns, ["100,a"]);
  await assert.rejects(
    writer.write(chunk, async () => {
      throw new Error("the store is full");
    }),
    /the store is full/,
  );
  assert.deepEqual(await db.client.query("SELECT * FROM t WHERE id = 100"), []);
  assert.equal((await write(writer, chunk)).written, 1);
  await writer.close();
});

test("a writer whose shard was taken over changes nothing", async () => {
  const sink = await open("c");
  const old = await sink.writer(0, 1);
  // A server that could not disconnect the old writer must still bounce it.
  await db.client.query("UPDATE pawl.checkpoint SET fence = 2, backend = NULL WHERE run = 'c'");
  await assert.rejects(write(old, csvChunk(columns, ["200,late"])), LostError);
  await assert.rejects(old.finish(checkpoint(1, true)), LostError);
  await assert.rejects(sink.writer(0, 1), LostError);
  assert.deepEqual(await db.client.query("SELECT * FROM t WHERE id = 200"), []);
  await old.close();
});

test("a writer that stopped in the middle of a commit is disconnected and blocks no other", async () => {
  const sink = await open("d");
  const old = await sink.writer(0, 1);
  const stopped = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const late = old.write(csvChunk(columns, ["300,old"]), async () => {
    stopped.resolve();
    await goOn.promise;
    return checkpoint(1);
  });
  late.catch(() => {});
  await stopped.promise;
  // The old one holds its transaction open until both of these are done.
  const next = await sink.writer(0, 2);
  assert.equal((await write(next, csvChunk(columns, ["300,new"]))).written, 1);
  goOn.resolve();
  await assert.rejects(late, TransientError);
  await assert.rejects(sink.writer(0, 1), LostError);
  assert.deepEqual(await db.client.query("SELECT v FROM t WHERE id = 300"), [{ v: "new" }]);
  await Promise.all([old.close(), next.close()]);
});

test("one that stopped while it took the shard over, or ended the run, blocks no other", async () => {
  const sink = await open("stopped");
  await (await sink.writer(0, 1)).close();
  const stop = async (name: string): Promise<TestClient> => {
    const holder = await TestClient.connect(db.url);
    await holder.query("BEGIN");
    await holder.query(`SELECT pg_advisory_xact_lock(hashtextextended('pawl ' || '${name}', 0))`);
    await holder.query("SELECT FROM pawl.checkpoint WHERE run = 'stopped' FOR UPDATE");
    return holder;
  };
  await using claiming = await stop("stopped/0");
  const next = await sink.writer(0, 2);
  await next.close();
  await assert.rejects(claiming.query("COMMIT"));
  await using ending = await stop("stopped");
  await sink.finalize();
  await assert.rejects(ending.query("COMMIT"));
  assert.deepEqual(await db.client.query("SELECT shard FROM pawl.checkpoint WHERE run = 'stopped'"), [
    { shard: -1 },
  ]);
});

test("a stopped writer that holds the checkpoint row itself is disconnected too", async () => {
  const sink = await open("e");
  await using holder = await TestClient.connect(db.url);
  const first = await sink.writer(0, 1);
  await first.close();
  await holder.query(`UPDATE pawl.checkpoint SET backend = pg_backend_pid(),
    backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) WHERE run = 'e'`);
  await holder.query("BEGIN; UPDATE pawl.checkpoint SET done = true WHERE run = 'e'");
  const next = await sink.writer(0, 2);
  assert.equal(next.checkpoint, null);
  await next.close();
});

test("a lost connection is a transient error, and the checkpoint tells what was committed", async () => {
  const sink = await open("f");
  const writer = await sink.writer(0, 1);
  await write(writer, csvChunk(columns, ["400,a"]));
  await db.client.query("SELECT pg_terminate_backend(backend, 5000) FROM pawl.checkpoint WHERE run = 'f'");
  await assert.rejects(write(writer, csvChunk(columns, ["401,a"])), TransientError);
  await assert.rejects(write(writer, csvChunk(columns, ["401,a"])), TransientError);
  await writer.close();
  const again = await sink.writer(0, 1);
  assert.deepEqual(again.checkpoint, checkpoint(1));
  await again.close();
});

test("after its end a run cannot begin again", async () => {
  const sink = await open("g");
  const late = await sink.writer(0, 1);
  await sink.finalize();
  await sink.finalize();
  await assert.rejects(write(late, csvChunk(columns, ["500,late"])), LostError);
  await assert.rejects(sink.writer(0, 2), LostError);
  assert.deepEqual(await db.client.query("SELECT shard FROM pawl.checkpoint WHERE run = 'g'"), [
    { shard: -1 },
  ]);
  await late.close();
});

test("a role that may not create the schema gets an idempotent upsert, and no promise for an append", async () => {
  const own = await db.server.createDatabase();
  await using admin = await TestClient.connect(own);
  const role = db.server.roleName("modest");
  await admin.query(`CREATE TABLE t (id int PRIMARY KEY, v text); CREATE ROLE ${role} LOGIN PASSWORD 'secret pw';
    GRANT SELECT, INSERT, UPDATE ON t TO ${role}`);
  const modest = databaseUrl(own, new URL(own).pathname.slice(1), role, "secret pw");
  const sink = await open("h", modest);
  assert.equal(sink.guarantee, "idempotent");
  assert.match(sink.notes.join(), /may not keep checkpoints.*once more, with the same result/);
  assert.doesNotMatch(sink.notes.join(), /secret/);
  const writer = await sink.writer(0, 1);
  assert.equal(writer.checkpoint, null);
  for (const written of [2, 0]) {
    assert.equal((await write(writer, csvChunk(columns, ["1,a", "2,b"]))).written, written);
  }
  await writer.finish(checkpoint(2, true));
  await sink.finalize();
  await writer.close();
  const append = await postgres({ url: modest, table: "t", onConflict: "fail" }).open(context(columns));
  assert.equal(append.guarantee, "none");
});
