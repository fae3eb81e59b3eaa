import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, beforeEach, describe, it, mock } from "node:test";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import { ChecksumCache } from "../../../../src/connect/objects/files/checksum-cache.ts";
import { FileReader } from "../../../../src/connect/objects/files/reader.ts";
import { FileWriter } from "../../../../src/connect/objects/files/writer.ts";

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
const FALSE = "0".repeat(32);
const DAY_MS = 24 * 60 * 60 * 1000;
const long = (path: string, ago = 60_000) => {
  const time = new Date(Date.now() - ago);
  return utimes(path, time, time);
};
const look = (path: string) => stat(path, { bigint: true });

describe("checksums that are known from another time", () => {
  const folders: string[] = [];
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-sums-"));
    folders.push(folder);
    file = join(folder, "a");
    await writeFile(file, "0123456789");
    await long(file);
  });
  after(async () => {
    for (const each of folders) await rm(each, { recursive: true, force: true });
  });

  /** As one process after the other sees them. */
  const anew = () => new ChecksumCache(() => join(folder, "cache"));
  const kept = async (partBytes: number | null = null, etag = md5("0123456789")) => {
    const sums = anew();
    sums.keep(await look(file), partBytes, etag);
    sums.close();
  };
  const found = async (path = file, partBytes: number | null = null) => {
    const sums = anew();
    try {
      return sums.find(await look(path), partBytes);
    } finally {
      sums.close();
    }
  };

  it("hold for a file that has not changed, of the whole or in parts of one size", async () => {
    assert.equal(await found(), null);
    await kept();
    assert.equal(await found(), md5("0123456789"));
    assert.equal(await found(file, 4), null);
    await kept(4, `${FALSE}-3`);
    assert.equal(await found(file, 4), `${FALSE}-3`);
    assert.equal(await found(file, 5), null);
  });

  for (const [what, change] of [
    ["written again with the same length", () => writeFile(file, "9876543210")],
    [
      "written again with its old time",
      async () => {
        const { atime, mtime } = await stat(file);
        await writeFile(file, "9876543210");
        await utimes(file, atime, mtime);
      },
    ],
    ["cut", () => truncate(file, 5)],
    [
      "replaced by another of the same time",
      async () => {
        const { atime, mtime } = await stat(file);
        await writeFile(`${file}2`, "9876543210");
        await utimes(`${file}2`, atime, mtime);
        await rename(`${file}2`, file);
      },
    ],
  ] as const) {
    it(`do not hold for one that was ${what}`, async () => {
      await kept();
      await change();
      await long(file, 30_000);
      assert.equal(await found(), null);
    });
  }

  it("are not kept of a file that was written just now: another write might not show", async () => {
    await long(file, 0);
    await kept();
    await long(file);
    assert.equal(await found(), null);
  });

  it("save reading files of a source and of a target", async () => {
    // No reader gets this far.
    await kept(null, FALSE);
    const [threads, cache] = [new ChecksumThreads(), anew()];
    try {
      const reader = new FileReader(folder, tmpdir(), { threads, cache });
      const writer = new FileWriter(folder, { run: "run", kept: join(folder, "kept") }, { threads, cache });
      const entry = { key: "a", size: 10, modified: null, etag: null };
      assert.equal(await reader.etagOf(entry, null), FALSE);
      assert.equal(reader.cachedEtag(entry, null), FALSE);
      const present = (await writer.existenceCheck().find(["a"])).get("a");
      assert.deepEqual(present, { size: 10, etag: FALSE });
      // Of what is read or written they are kept.
      await writeFile(file, "9876543210");
      await long(file, 5000);
      assert.equal(reader.cachedEtag(entry, null), null);
      assert.equal(await reader.etagOf(entry, null), md5("9876543210"));
      assert.equal(reader.cachedEtag(entry, null), md5("9876543210"));
      const described = {
        ...entry,
        modified: Date.now() - 60_000,
        properties: { headers: {}, metadata: {}, tags: null },
      };
      await writer.put({ ...entry, key: "b" }, Buffer.from("bb"), md5("bb"), described);
      assert.deepEqual((await writer.existenceCheck().find(["b"])).get("b"), { size: 2, etag: md5("bb") });
    } finally {
      cache.close();
      await threads.close();
    }
  });

  it("are no trouble where they cannot be kept, and start over where their file is damaged", async () => {
    const nowhere = new ChecksumCache(() => join(file, "cache"));
    nowhere.keep(await look(file), null, FALSE);
    nowhere.close();
    assert.equal(nowhere.find(await look(file), null), null);
    await kept();
    await writeFile(
      join(folder, "cache", "checksums.db"),
      "no database at all, and long enough to be taken for one".repeat(100),
    );
    assert.equal(await found(), null);
    await kept();
    assert.equal(await found(), md5("0123456789"));
  });

  it("are marked as used while they are looked up, so that no run holds all of them until its end", async () => {
    const like = await look(file);
    const files = Array.from({ length: 2500 }, (_, n) => ({
      ...like,
      ino: BigInt(n),
      mtimeMs: like.mtimeMs,
    }));
    const first = anew();
    for (const each of files) first.keep(each, null, FALSE);
    first.close();
    mock.timers.enable({ apis: ["Date"], now: Date.now() + 30 * DAY_MS });
    const second = anew();
    try {
      for (const each of files) assert.equal(second.find(each, null), FALSE);
      const database = new DatabaseSync(join(folder, "cache", "checksums.db"), { readOnly: true });
      const marked = database
        .prepare("SELECT count(*) AS n FROM file WHERE used = ?")
        .get(Math.floor(Date.now() / DAY_MS));
      database.close();
      assert.ok((marked as { n: number }).n >= 2000, JSON.stringify(marked));
    } finally {
      mock.timers.reset();
      second.close();
    }
  });

  it("are forgotten when they were not asked for in months, and not before", async () => {
    mock.timers.enable({ apis: ["Date"], now: Date.now() });
    try {
      await kept();
      for (let months = 0; months < 6; months++) {
        mock.timers.tick(30 * DAY_MS);
        assert.equal(await found(), md5("0123456789"));
      }
      mock.timers.tick(100 * DAY_MS);
      assert.equal(await found(), null);
    } finally {
      mock.timers.reset();
    }
  });
});
