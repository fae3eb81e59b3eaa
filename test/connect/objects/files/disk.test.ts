import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import type { ObjectEntry } from "../../../../src/connect/objects/contract.ts";
import { Disk } from "../../../../src/connect/objects/files/disk.ts";
import { FileReader } from "../../../../src/connect/objects/files/reader.ts";
import { FileWriter } from "../../../../src/connect/objects/files/writer.ts";
import { readWhole } from "../../../../src/connect/objects/transfer/transfer.ts";

/** As a disk that has just made a caller wait. */
class SlowDisk extends Disk {
  override get isPrompt(): boolean {
    return false;
  }
}

function wait(ms: number): void {
  for (const began = performance.now(); performance.now() - began < ms; );
}

describe("a disk", () => {
  it("that lets us wait is left alone for a while, and then tried again", () => {
    const disk = new Disk();
    assert.equal(
      disk.ask(() => 7),
      7,
    );
    assert.equal(disk.isPrompt, true);
    assert.throws(() =>
      disk.ask(() => {
        wait(20);
        throw new Error("gone");
      }),
    );
    let waited = 0;
    while (!disk.isPrompt) waited++;
    assert.equal(waited, 100);
    assert.equal(disk.isPrompt, true);
  });
});

for (const [name, disk] of [
  ["prompt", () => new Disk()],
  ["slow", () => new SlowDisk()],
] as const) {
  describe(`a folder on a ${name} disk`, () => {
    let folder: string;
    let reader: FileReader;
    let writer: FileWriter;
    const hashing = new ChecksumThreads();
    const sums = { threads: hashing, cache: null };

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "pawl-disk-"));
      await mkdir(join(folder, "from"));
      reader = new FileReader(join(folder, "from"), folder, sums, disk());
      writer = new FileWriter(join(folder, "to"), { run: "run", kept: join(folder, "kept") }, sums, disk());
      await writer.prepare(false);
    });
    after(async () => {
      await reader.close();
      await writer.close();
      await hashing.close();
      await rm(folder, { recursive: true, force: true });
    });

    const listed = async () => {
      const entries: ObjectEntry[] = [];
      for await (const page of reader.list(null, new AbortController().signal)) entries.push(...page.entries);
      return entries;
    };
    const copied = async (entry: ObjectEntry) => {
      const open = await reader.open(entry);
      try {
        const { bytes, md5 } = await readWhole(open, open.size ?? 0);
        await writer.put(entry, bytes, md5, open);
      } finally {
        await open.close();
      }
    };

    it("gives and takes files of any small size, with their times", async () => {
      const modified = new Date("2021-03-04T05:06:07.008Z");
      const sizes = [0, 1, 20_000, 262_144, 262_145, 3_000_000];
      for (const size of sizes) {
        await writeFile(join(folder, "from", `f${size}`), Buffer.alloc(size, `${size}`));
        await utimes(join(folder, "from", `f${size}`), new Date(), modified);
      }
      const entries = await listed();
      assert.deepEqual(entries.map(({ size }) => size).sort(), sizes.toSorted());
      const present = await writer.existenceCheck().find(entries.map(({ key }) => key));
      assert.equal(present.size, 0);
      for (const entry of entries) {
        await copied(entry);
        const to = join(folder, "to", entry.key);
        assert.ok((await readFile(to)).equals(await readFile(join(folder, "from", entry.key))));
        assert.equal((await stat(to)).mtimeMs, modified.getTime());
        const there = { size: entry.size ?? 0, etag: null };
        assert.equal(await writer.etagOf(entry, there, null), await reader.etagOf(entry, null));
      }
      assert.equal((await writer.existenceCheck().find(entries.map(({ key }) => key))).size, sizes.length);
      assert.deepEqual((await readdir(join(folder, "to"))).sort(), entries.map(({ key }) => key).sort());
    });

    it("reads what has changed since it was listed as it is now", async () => {
      const path = join(folder, "from", "changing");
      await writeFile(path, "long enough");
      const [entry] = (await listed()).filter(({ key }) => key === "changing");
      assert.ok(entry);
      await truncate(path, 4);
      await copied(entry);
      assert.equal(await readFile(join(folder, "to", "changing"), "utf8"), "long");
      await writeFile(path, Buffer.alloc(1_000_000));
      await copied(entry);
      assert.equal((await stat(join(folder, "to", "changing"))).size, 1_000_000);
      await rm(path);
      await assert.rejects(copied(entry), /cannot read .*changing: it is gone \(ENOENT\)/);
      await mkdir(path);
      await assert.rejects(copied(entry), /it is not a file/);
      await rm(path, { recursive: true });
    });

    it("takes no file for empty, or for whole, that gives more bytes than it says to have", async () => {
      if (process.platform !== "linux") return;
      for (const path of [
        "/proc/cpuinfo",
        "/proc/self/status",
        "/sys/kernel/mm/transparent_hugepage/enabled",
      ]) {
        if (!existsSync(path)) continue;
        await symlink(path, join(folder, "from", "odd"));
        const [entry] = (await listed()).filter(({ key }) => key === "odd");
        assert.ok(entry);
        // Those of /sys say to have 4096, and give fewer.
        await assert.rejects(
          copied(entry),
          /more bytes than the 0 that it says|was changed while it was read/,
          path,
        );
        await rm(join(folder, "from", "odd"));
      }
    });

    it("leaves nothing behind of what cannot be written", async () => {
      await writeFile(join(folder, "from", "blocked"), "x");
      await mkdir(join(folder, "to", "blocked"));
      const [entry] = (await listed()).filter(({ key }) => key === "blocked");
      assert.ok(entry);
      await assert.rejects(copied(entry), /cannot write .*blocked: there is a folder in its place/);
      assert.deepEqual(
        (await readdir(join(folder, "to"))).filter((file) => file.endsWith(".part")),
        [],
      );
    });
  });
}
