import assert from "node:assert/strict";
import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openStore } from "../../src/store/index.ts";

const unix = { skip: process.getuid === undefined };
let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "pawl-private-"));
});

after(async () => {
  await rm(root, { recursive: true, force: true });
});

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
});
