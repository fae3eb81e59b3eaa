import assert from "node:assert/strict";
import { chmod, chown, lchown, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { defineJob } from "../../../src/batch/index.ts";
import { type AnyJob, prepare } from "../../../src/batch/internal.ts";
import { ChecksumCache } from "../../../src/connect/objects/files/checksum-cache.ts";
import { copy } from "../../../src/connect/objects/index.ts";
import { startEmbedded } from "../../../src/connect/postgres/embedded/server.ts";
import { openStore } from "../../../src/store/index.ts";
import { stateLocation } from "../../../src/store/internal.ts";

const unix = { skip: process.getuid === undefined };
let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "pawl-private-"));
});

after(async () => {
  await rm(root, { recursive: true, force: true });
});

const isRoot = process.getuid?.() === 0;
/** Lets another user in: only root can give files away, and others can let everybody write. */
const spoil = async (path: string): Promise<void> =>
  isRoot ? await lchown(path, 12_345, 12_345) : await chmod(path, 0o777);

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

async function open(path: string, options?: { create: boolean }): Promise<void> {
  const store = await openStore(path, options);
  await store.close();
}

test("a new store and its folder are for their user alone, whatever the umask", unix, async () => {
  const before = process.umask(0);
  try {
    await open(join(root, "new", ".pawl", "store.db"));
    assert.equal(await modeOf(join(root, "new", ".pawl")), 0o700);
    assert.equal(await modeOf(join(root, "new", ".pawl", "store.db")), 0o600);
  } finally {
    process.umask(before);
  }
});

test("a store that others could read is closed to them", unix, async () => {
  const folder = join(root, "readable", ".pawl");
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await open(join(folder, "store.db"));
  await chmod(folder, 0o755);
  await chmod(join(folder, "store.db"), 0o644);
  await open(join(folder, "store.db"));
  assert.equal(await modeOf(folder), 0o700);
  assert.equal(await modeOf(join(folder, "store.db")), 0o600);
});

test(
  "a store that others may write is refused, by its folder, its file, its owner, or through a link",
  unix,
  async () => {
    const folder = join(root, "writable", ".pawl");
    const store = join(folder, "store.db");
    await open(store);
    await chmod(store, 0o660);
    await assert.rejects(open(store), {
      code: "state.unsafe",
      message: /store\.db may be written by other users/,
    });
    const link = join(root, "link.db");
    await symlink(store, link);
    await assert.rejects(open(link), { code: "state.unsafe" });
    await chmod(store, 0o600);
    await chmod(folder, 0o770);
    await assert.rejects(open(store), {
      code: "state.unsafe",
      message: /\.pawl may be written by other users/,
    });
    await chmod(folder, 0o700);
    if (process.getuid?.() === 0) {
      await chown(store, 12_345, 12_345);
      await assert.rejects(open(store), { code: "state.unsafe", message: /another user \(12345\)/ });
      await chown(store, 0, 0);
    }
    await open(store);
  },
);

test(
  "a store may lie in a folder of the user's own, whose mode stays, but not in one that everybody may write",
  unix,
  async () => {
    const folder = join(root, "project");
    await mkdir(folder);
    await chmod(folder, 0o755);
    await writeFile(join(folder, ".gitignore"), "node_modules\n");
    await open(join(folder, "store.db"));
    await open(join(folder, "store.db"));
    assert.equal(await modeOf(folder), 0o755);
    await chmod(folder, 0o777);
    await assert.rejects(open(join(folder, "store.db")), { code: "state.unsafe" });
    await chmod(folder, 0o1777);
    await open(join(folder, "store.db"));
  },
);

test("what lies beside a store in a folder that all users share must be this user's, too", unix, async () => {
  const shared = join(root, "shared");
  await mkdir(shared);
  await chmod(shared, 0o1777);
  const place = stateLocation({ PAWL_STORE: join(shared, "s.db") });
  const unsafe = { code: "state.unsafe" };
  for (const part of ["s.db-wal", "s.db-shm"]) {
    await writeFile(join(shared, part), "");
    await spoil(join(shared, part));
    await assert.rejects(open(place.store), unsafe);
    await rm(join(shared, part));
  }
  await open(place.store);

  await mkdir(join(root, "in"), { recursive: true });
  await writeFile(join(root, "in", "a"), "a");
  const job = defineJob({ name: "shared", ...copy({ from: join(root, "in"), to: join(root, "out") }) });
  const store = await openStore(place.store);
  const prepared = () => prepare(job as unknown as AnyJob, { store, runs: place.runs });
  try {
    await mkdir(place.runs);
    await spoil(place.runs);
    await assert.rejects(prepared(), unsafe);
    await rm(place.runs, { recursive: true });
    await mkdir(join(root, "elsewhere"));
    await symlink(join(root, "elsewhere"), place.runs);
    await lchown(place.runs, 12_345, 12_345);
    await assert.rejects(prepared(), unsafe);
    await rm(place.runs);
    await mkdir(place.runs);
    await chmod(place.runs, 0o777);
    await assert.rejects(prepared(), { code: "state.unsafe", message: /may be written by other users/ });
    await chmod(place.runs, 0o755);
    await (await prepared()).sink.close();
    assert.equal(await modeOf(place.runs), 0o700);
    await mkdir(place.postgres);
    await spoil(place.postgres);
    await assert.rejects(startEmbedded(place.postgres), unsafe);
  } finally {
    await store.close();
  }
});

test(
  "checksums that are known are kept for their user alone, and those of another user are not believed",
  unix,
  async () => {
    const before = process.umask(0);
    const file = join(root, "old");
    await writeFile(file, "old");
    await utimes(file, 1, 1);
    const found = await stat(file, { bigint: true });
    const kept = (folder: string): string | null => {
      const writing = new ChecksumCache(() => folder);
      writing.keep(found, null, "0".repeat(32));
      writing.close();
      const reading = new ChecksumCache(() => folder);
      const sum = reading.find(found, null);
      reading.close();
      return sum;
    };
    try {
      const own = join(root, "cache");
      assert.equal(kept(own), "0".repeat(32));
      assert.deepEqual([await modeOf(own), await modeOf(join(own, "checksums.db"))], [0o700, 0o600]);
      await chmod(join(own, "checksums.db"), 0o644);
      assert.equal(kept(own), "0".repeat(32));
      assert.equal(await modeOf(join(own, "checksums.db")), 0o600);
      await spoil(own);
      assert.equal(kept(own), null);
    } finally {
      process.umask(before);
    }
  },
);

test("a program that only looks creates no store, and a path that cannot be made is one error", async () => {
  const path = join(root, "mistyped", "store.db");
  await assert.rejects(open(path, { create: false }), { code: "store.missing", message: new RegExp(path) });
  await assert.rejects(stat(join(root, "mistyped")), { code: "ENOENT" });
  if (process.platform === "linux") {
    // Node's own recursive mkdir never returns for this one.
    await assert.rejects(open("/proc/x/store.db"), { code: "store.cannot-open" });
    await assert.rejects(open("/sys/x/y/store.db"), { code: "store.cannot-open" });
  }
  await writeFile(join(root, "file"), "");
  await assert.rejects(open(join(root, "file", "store.db")), { code: "store.cannot-open" });
  await mkdir(join(root, "links"));
  await symlink("nowhere.db", join(root, "links", "store.db"));
  await symlink("nowhere", join(root, "links", "folder"));
  for (const create of [true, false])
    for (const [path, link] of [
      ["store.db", "store.db is a link to nowhere.db"],
      ["folder/store.db", "folder is a link to nowhere"],
    ] as const)
      await assert.rejects(open(join(root, "links", path), { create }), {
        code: "state.link",
        message: new RegExp(`${link}, where there is nothing: `),
      });
});

test("a store that is not there is said to be missing where PAWL_STORE names it", async () => {
  const before = process.env.PAWL_STORE;
  const path = join(root, "none", "store.db");
  const says = async (named: string) => {
    process.env.PAWL_STORE = named;
    return await open(path, { create: false }).catch((error: Error) => error.message);
  };
  try {
    assert.equal(
      await says(relative(process.cwd(), path)),
      `There is no store at ${path}, which PAWL_STORE names: correct it, or begin work with it first.`,
    );
    assert.match(`${await says(join(root, "other.db"))}`, /go to the folder where the work was begun/);
  } finally {
    if (before === undefined) delete process.env.PAWL_STORE;
    else process.env.PAWL_STORE = before;
  }
});
