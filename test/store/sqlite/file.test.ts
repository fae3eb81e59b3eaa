import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { machineClock } from "../../../src/store/clock.ts";
import { openStore, PawlError, type Store, TransientError } from "../../../src/store/index.ts";
import { SqlStore } from "../../../src/store/sql/store.ts";
import { Connection } from "../../../src/store/sqlite/connection.ts";
import { SqliteDriver } from "../../../src/store/sqlite/driver.ts";
import { FileIdentity } from "../../../src/store/sqlite/file-identity.ts";
import { migrate, migrations } from "../../../src/store/sqlite/schema.ts";
import { newTask } from "../conformance/tasks.ts";

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
    const script = new URL("../conformance/drain-process.ts", import.meta.url).pathname;
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

  test("is brought up to date with all it holds, and left as it was where that fails half-way", async () => {
    const location = join(folder, "state.db");
    await using store = await openStore(location);
    await store.enqueue([newTask("before")]);
    const added = "ALTER TABLE task ADD COLUMN shade TEXT";
    using database = new DatabaseSync(location);
    const shades = () =>
      database.prepare("SELECT 1 FROM pragma_table_info('task') WHERE name = 'shade'").all();
    assert.throws(() => migrate(database, location, [...migrations, `${added}; SELECT * FROM nowhere`]));
    assert.equal(shades().length, 0);
    assert.deepEqual(await store.enqueue([newTask("between")]), ["between"]);
    for (let time = 0; time < 2; time++) migrate(database, location, [...migrations, added]);
    assert.equal(shades().length, 1);
    assert.deepEqual(
      (await store.query({ queue: "q" })).map(({ id }) => id),
      ["before", "between"],
    );
    await assert.rejects(store.enqueue([newTask("harm")]), { code: "store.newer" });
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
    await using store = new SqlStore(
      new SqliteDriver(new Connection(database, new FileIdentity(location), location, machineClock)),
    );
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

  test("that may only be read can be read, and says so in one sentence when it is to be written", async () => {
    const location = join(folder, "state.db");
    const assertReadOnly = async (store: Store) => {
      assert.deepEqual(await store.query({ queue: "q" }), []);
      await assert.rejects(store.enqueue([newTask("t")]), {
        code: "store.read-only",
        message: `The store ${location} may not be written: give yourself permission to write the file and its folder.`,
      });
    };
    const writer = await openStore(location);
    const readOnly = new DatabaseSync(location, { readOnly: true });
    {
      await using store = new SqlStore(
        new SqliteDriver(new Connection(readOnly, new FileIdentity(location), location, machineClock)),
      );
      await assertReadOnly(store);
    }
    await writer.close();
    await chmod(location, 0o400);
    // Root may write everything.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) for (const path of [folder, location]) await chown(path, 65_534, 65_534);
    try {
      if (isRoot) process.seteuid?.(65_534);
      await using store = await openStore(location);
      await assertReadOnly(store);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test("that a newer program or an older copy has changed while it was open takes nothing more", async () => {
    const location = join(folder, "state.db");
    await using store = await openStore(location);
    await store.enqueue([newTask("before")]);
    {
      using copier = new DatabaseSync(location);
      copier.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      await copyFile(location, join(folder, "backup.db"));
      await store.enqueue([newTask("after")]);
      copier.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    // As a shell copies: into the same file.
    await writeFile(location, await readFile(join(folder, "backup.db")), { flag: "r+" });
    await assert.rejects(store.enqueue([newTask("lost")]), { code: "store.gone" });
    assert.deepEqual(
      (await store.query({ queue: "q" })).map(({ id }) => id),
      ["before"],
    );
    await using anew = await openStore(location);
    await anew.enqueue([newTask("again")]);
    using newer = new DatabaseSync(location);
    newer.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    await assert.rejects(anew.enqueue([newTask("harm")]), {
      code: "store.newer",
      message: `The store ${location} was written by a newer version of Pawl: update Pawl to use it.`,
    });
    assert.equal((await anew.query({ queue: "q" })).length, 2);
  });

  describe("under an open store", () => {
    const acknowledged = ["before", "also before"];
    let home: string;
    let location: string;
    beforeEach(async () => {
      home = join(folder, "home");
      location = join(home, "state.db");
    });

    /** What a program that begins now finds at a path. */
    async function found(path: string): Promise<string[]> {
      await using store = await openStore(path, { create: false });
      return (await store.query({ queue: "q" })).map(({ id }) => id);
    }

    /** Asserts that nothing is acknowledged, alone or with others, and that each answer is one sentence. */
    async function assertGone(store: Store, names: RegExp): Promise<void> {
      const answers = await Promise.allSettled([
        store.enqueue([newTask("a")]),
        store.enqueue([newTask("b")]),
        store.settle([{ id: "before", fence: 1, result: { state: "succeeded" } }]),
        store.pauseQueue("q", true),
      ]);
      answers.push(...(await Promise.allSettled([store.enqueue([newTask("c")])])));
      for (const answer of answers) {
        assert.equal(answer.status, "rejected");
        assert.equal(answer.reason.code, "store.gone");
        assert.match(answer.reason.message, names);
        assert.match(answer.reason.message, /^[^\n]+\.$/);
      }
    }

    /** Opens it, in a folder whose last change the store takes to be old where that is to be `settled`. */
    async function opened({ at = location, settled = false } = {}): Promise<Store> {
      const store = settled ? await openedLongAfter(at) : await openStore(at);
      await store.enqueue(acknowledged.map((id) => newTask(id)));
      await store.claim({ queues: ["q"], n: 1, leaseMs: 60_000, worker: "w" });
      return store;
    }

    async function openedLongAfter(at: string): Promise<Store> {
      await (await openStore(at)).close();
      const database = new DatabaseSync(at);
      database.prepare("SELECT value FROM counter LIMIT 1").get();
      const files = new FileIdentity(at, () => Date.now() + 3_600_000);
      // The next change of the folder has another time.
      const { ctimeMs } = await stat(dirname(at));
      const other = join(folder, "other");
      do await writeFile(other, "");
      while ((await stat(other)).ctimeMs <= ctimeMs);
      return new SqlStore(new SqliteDriver(new Connection(database, files, at, machineClock)));
    }

    const removals = {
      removed: () => rm(home, { recursive: true }),
      moved: () => rename(home, join(folder, "elsewhere")),
      emptied: () => truncate(location),
      "replaced by a copy of itself": async () => {
        await copyFile(location, `${location}.copy`);
        await rename(`${location}.copy`, location);
      },
      "replaced by a new store": async () => {
        await rename(home, join(folder, "elsewhere"));
        await (await openStore(location)).close();
      },
    };
    for (const [how, remove] of Object.entries(removals)) {
      for (const settled of [false, true]) {
        test(`a file that is ${how} takes nothing more (its folder ${settled ? "unchanged for long" : "just changed"})`, async () => {
          const store = await opened({ settled });
          await remove();
          await assertGone(store, /state\.db was removed, moved, emptied or replaced/);
          await assert.rejects(store.query({ queue: "q" }), { code: "store.gone" });
          await store.close();
          if (how === "replaced by a new store") assert.deepEqual(await found(location), []);
          if (how !== "moved" && how !== "replaced by a new store") return;
          assert.deepEqual(await found(join(folder, "elsewhere", "state.db")), acknowledged);
        });
      }
    }

    test("a folder that is moved back goes on", async () => {
      await using store = await opened();
      await rename(home, join(folder, "elsewhere"));
      await assertGone(store, /state\.db/);
      await rename(join(folder, "elsewhere"), home);
      assert.deepEqual(await store.enqueue([newTask("after")]), ["after"]);
      assert.deepEqual(await found(location), [...acknowledged, "after"]);
    });

    test("a link that is led to another store takes nothing more, and one that stays is as good as its file", async () => {
      await using other = await openStore(join(folder, "other.db"));
      await (await openStore(location)).close();
      const link = join(folder, "link.db");
      await symlink(location, link);
      await using store = await opened({ at: link });
      await store.enqueue([newTask("through a link")]);
      await rm(link);
      await symlink(join(folder, "other.db"), link);
      await assertGone(store, /link\.db/);
      assert.deepEqual(await other.query({ queue: "q" }), []);
      assert.deepEqual(await found(location), [...acknowledged, "through a link"]);
    });

    for (const settled of [false, true]) {
      const when = settled ? "unchanged for long" : "just changed";
      test(`a log that is removed takes nothing more, and what was acknowledged is kept though the process is killed (its folder ${when})`, async () => {
        await using store = await opened({ settled });
        await rm(`${location}-wal`);
        await assertGone(store, /state\.db-wal was removed/);
        // As after a kill: nothing but the file is left of what this process wrote.
        await copyFile(location, join(folder, "left.db"));
        assert.deepEqual(await found(join(folder, "left.db")), acknowledged);
      });

      test(`shared memory that is removed takes nothing more, since another process would not see our locks (its folder ${when})`, async () => {
        await using store = await opened({ settled });
        await rm(`${location}-shm`);
        await assertGone(store, /state\.db-shm was removed/);
        assert.deepEqual(await found(location), acknowledged);
      });
    }
  });
});
