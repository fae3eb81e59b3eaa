import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { machineClock } from "../../src/store/clock.ts";
import { openStore, PawlError, TransientError } from "../../src/store/index.ts";
import { Connection } from "../../src/store/sqlite/connection.ts";
import { migrations } from "../../src/store/sqlite/migrations.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { machineClocks } from "./conformance/machine-clocks.ts";
import { newTask } from "./conformance/tasks.ts";
import { storeConformance } from "./conformance.ts";
import { openTemporary } from "./temporary.ts";

storeConformance("SQLite", openTemporary, machineClocks);

describe("a store file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-store-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  /** Asserts one sentence that names the file. */
  async function refuses(location: string, code: string): Promise<void> {
    await assert.rejects(openStore(location), (error) => {
      assert.ok(error instanceof PawlError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, /^[^\n]+\.$/);
      assert.ok(error.message.includes(location));
      return true;
    });
  }

  test("is created once when several processes open it at the same moment", async () => {
    const location = join(folder, "deep", "state.db");
    const script = new URL("./conformance/drain-process.ts", import.meta.url).pathname;
    const run = promisify(execFile);
    const outputs = await Promise.all(
      [0, 1, 2, 3, 4].map((n) => run(process.execPath, [script, location, `w${n}`])),
    );
    assert.deepEqual(
      outputs.map(({ stdout }) => stdout),
      Array(5).fill("[]"),
    );
    await using store = await openStore(location);
    assert.deepEqual(await store.enqueue([newTask("t")]), ["t"]);
  });

  test("of a newer version is refused and left as it is", async () => {
    const location = join(folder, "state.db");
    await (await openStore(location)).close();
    const database = new DatabaseSync(location);
    database.exec("PRAGMA user_version = 999");
    await refuses(location, "store.newer");
    assert.equal(database.prepare("PRAGMA user_version").get()?.user_version, 999);
    database.close();
  });

  test("of the first version is brought up to date with all it holds", async () => {
    const location = join(folder, "state.db");
    const [first = ""] = migrations;
    const database = new DatabaseSync(location);
    database.exec(
      `PRAGMA journal_mode = WAL; ${first} PRAGMA application_id = ${0x5061776c}; PRAGMA user_version = 1`,
    );
    const add = database.prepare(
      `INSERT INTO task (seq, id, queue, name, payload, priority, state, due, fence, worker, lease_boot, lease_until,
         lease_ms, created_at, settled_at, error, progress, result)
       VALUES (?, ?, 'q', 'work', '{"a":[1]}', 2, ?, ?, ?, 'w', 'boot', 9, 9, 1000, ?, ?, '5', '"done"')`,
    );
    const ends = { waiting: null, leased: null, succeeded: 2_000, dead: 3_000, cancelled: 4_000 };
    for (const [n, [state, settledAt]] of Object.entries(ends).entries()) {
      const due = state === "waiting" ? 1_000 : null;
      add.run(10 + n, state, state, due, n, settledAt, state === "dead" ? "broken" : null);
    }
    database.close();
    await using store = await openStore(location);
    const common = {
      queue: "q",
      name: "work",
      payload: { a: [1] },
      priority: 2,
      createdAt: 1_000,
      progress: 5,
    };
    const tasks = await store.query({ queue: "q" });
    assert.deepEqual(
      tasks.map(({ id }) => id),
      ["waiting", "leased", "succeeded", "dead", "cancelled"],
    );
    for (const task of tasks) {
      assert.deepEqual({ ...task, ...common, result: "done", startedAt: null, meta: null }, task);
    }
    assert.deepEqual(
      tasks.map(({ fence, due, settledAt, error }) => [fence, due, settledAt, error]),
      [
        [0, 1_000, null, null],
        [1, null, null, null],
        [2, null, 2_000, null],
        [3, null, 3_000, "broken"],
        [4, null, 4_000, null],
      ],
    );
    const counts = { waiting: 1, leased: 1, succeeded: 1, dead: 1, cancelled: 1 };
    assert.deepEqual(await store.queues(), [{ name: "q", paused: false, counts, oldestDue: 1_000 }]);
    // A claim of the version before is taken back, and can be settled, though nobody wrote down when it began.
    assert.deepEqual(await store.settle([{ id: "leased", fence: 1, outcome: { state: "cancelled" } }]), {
      lost: [],
    });
    assert.equal((await store.attempts("leased"))[0]?.outcome, "cancelled");
    assert.equal((await store.attempts("succeeded")).length, 0);
    await store.enqueue([newTask("new", { priority: 2 })]);
    const claims = await store.claim({ queues: ["q"], n: 9, leaseMs: 1_000, worker: "w" });
    assert.deepEqual(
      claims.map(({ id }) => id),
      ["waiting", "new"],
    );
    const numbers = new DatabaseSync(location);
    const { seq } = numbers.prepare("SELECT seq FROM task WHERE id = 'new'").get() ?? {};
    numbers.close();
    assert.equal(seq, 15, "the order goes on");
  });

  test("with times that an earlier program took and could not read back can be read, claimed from and cleaned up", async () => {
    const location = join(folder, "state.db");
    const database = new DatabaseSync(location);
    database.exec(
      `PRAGMA journal_mode = WAL; ${migrations.slice(0, 2).join(";")} PRAGMA application_id = ${0x5061776c};
       PRAGMA user_version = 2`,
    );
    const add = database.prepare(
      `INSERT INTO task (id, queue, name, payload, priority, state, due, created_at, expires_at, retention_ms)
       VALUES (?, 'q', 'work', 'null', 0, 'waiting', ?, 1000, ?, ?)`,
    );
    const beyond = 9_009_000_000_000_000_000n;
    add.run("expires", 1_000, beyond, beyond);
    add.run("later", beyond, null, null);
    database.close();
    await using store = await openStore(location);
    const [claim, ...more] = await store.claim({ queues: ["q"], n: 9, leaseMs: 1_000, worker: "w" });
    assert.deepEqual([claim?.id, more.length], ["expires", 0]);
    for (const { due, expiresAt } of await store.query({ queue: "q" })) {
      new Date(due ?? expiresAt ?? 0).toISOString();
    }
    assert.equal(await store.requestCancel({ queue: "q" }), 2);
  });

  test("that belongs to another program is refused and left as it is", async () => {
    const foreign = join(folder, "foreign.db");
    const database = new DatabaseSync(foreign);
    database.exec("CREATE TABLE mine (x)");
    await refuses(foreign, "store.not-a-store");
    assert.equal(database.prepare("PRAGMA journal_mode").get()?.journal_mode, "delete");
    database.close();
    const text = join(folder, "notes.txt");
    await writeFile(text, "not a database, but longer than the header of one ".repeat(10));
    await refuses(text, "store.not-a-store");
  });

  test("that cannot be there is refused", async () => {
    await writeFile(join(folder, "file"), "");
    await refuses(join(folder, "file", "state.db"), "store.cannot-open");
    await mkdir(join(folder, "folder.db"));
    await refuses(join(folder, "folder.db"), "store.cannot-open");
    await assert.rejects(openStore(""), PawlError);
    await assert.rejects(openStore("postgres://me:secret@host/db"), (error) => {
      assert.ok(error instanceof PawlError);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  test("that another process keeps busy for a moment is waited for", async () => {
    const location = join(folder, "state.db");
    await using store = await openStore(location);
    const other = new DatabaseSync(location);
    other.exec("BEGIN IMMEDIATE");
    const enqueued = store.enqueue([newTask("t")]);
    assert.deepEqual(await store.query({ queue: "q" }), [], "reading does not wait");
    other.exec("COMMIT");
    other.close();
    assert.deepEqual(await enqueued, ["t"]);
  });

  test("that is closed says so", async () => {
    const store = await openStore(join(folder, "state.db"));
    const last = store.enqueue([newTask("t")]);
    await store.close();
    await store.close();
    assert.deepEqual(await last, ["t"]);
    await assert.rejects(store.query({ queue: "q" }), { code: "store.closed" });
    await assert.rejects(store.enqueue([newTask("u")]), { code: "store.closed" });
  });

  test("on a full disk fails for the moment only, and keeps nothing of the batch", async () => {
    const location = join(folder, "state.db");
    await (await openStore(location)).close();
    const database = new DatabaseSync(location);
    // To SQLite a file that may not grow is a full disk.
    database.exec("PRAGMA max_page_count = 1");
    await using store = new SqliteStore(new Connection(database, location, machineClock));
    const batch = Array.from({ length: 1_000 }, (_, n) => newTask(`t${n}`, { payload: "x".repeat(1_000) }));
    await assert.rejects(store.enqueue(batch), (error) => {
      assert.ok(error instanceof TransientError);
      assert.match(error.message, /full/);
      return true;
    });
    assert.deepEqual(await store.query({ queue: "q" }), []);
    database.exec("PRAGMA max_page_count = 1000000");
    assert.equal((await store.enqueue(batch)).length, 1_000);
  });
});
