import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { OpenSink, Writer } from "../../../src/batch/contract.ts";
import { defineJob, run } from "../../../src/batch/index.ts";
import { findRun, openItems, replayJob } from "../../../src/batch/internal.ts";
import { JobLimits } from "../../../src/batch/job/work-limits.ts";
import { ChecksumThreads } from "../../../src/connect/objects/compare/checksum-threads.ts";
import { Disk } from "../../../src/connect/objects/files/disk.ts";
import { refusedName } from "../../../src/connect/objects/files/file-name.ts";
import { sortedNames, walk } from "../../../src/connect/objects/files/walk.ts";
import {
  type CopyOptions,
  copy,
  type ObjectEntry,
  objects,
  verify,
} from "../../../src/connect/objects/index.ts";
import { CopyWriter } from "../../../src/connect/objects/transfer/copy-writer.ts";
import { MemoryBudget } from "../../../src/connect/objects/transfer/memory-budget.ts";
import { WrittenLog } from "../../../src/connect/objects/transfer/written-log.ts";
import { PawlError } from "../../../src/errors.ts";
import { openStore, type Store } from "../../../src/store/index.ts";
import { fc, runs } from "../../random.ts";

describe("copying between folders", () => {
  let folder: string;
  let store: Store;
  let from: string;
  let to: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-files-"));
    process.env.PAWL_STORE = join(folder, "store.db");
  });
  beforeEach(async () => {
    const place = join(folder, crypto.randomUUID());
    [from, to] = [join(place, "from"), join(place, "to")];
    await mkdir(from, { recursive: true });
    store = await openStore(join(place, "store.db"));
  });
  afterEach(() => store.close());
  after(async () => {
    delete process.env.PAWL_STORE;
    await rm(folder, { recursive: true, force: true });
  });

  const put = async (root: string, key: string, content: string | Buffer) => {
    await mkdir(dirname(join(root, key)), { recursive: true });
    await writeFile(join(root, key), content);
  };
  const job = (more: Partial<CopyOptions> = {}) =>
    defineJob({ name: "copy", ...copy({ from, to, ...more }) });
  const names = async (root: string) =>
    (await readdir(root, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      .sort();
  const reasons = async (id: string) => {
    const found: Record<string, string> = {};
    for await (const item of openItems(store, id)) found[item.at.slice(from.length + 1)] = item.reason;
    return found;
  };

  it("copies each file with its time, and finds all unchanged the second time", async () => {
    await put(from, "a.txt", "one");
    await put(from, "b/ü 'x'/c", "");
    await put(from, "b/large", Buffer.alloc(16 * 1024 * 1024 + 1, "pawl"));
    await utimes(join(from, "a.txt"), new Date(), new Date("2020-02-02T02:02:02Z"));
    const first = await run(job(), { store }).summary();
    assert.deepEqual([first.state, first.read, first.written], ["succeeded", 3, 3]);
    assert.deepEqual(await names(to), ["a.txt", "b/large", "b/ü 'x'/c"]);
    assert.equal(await readFile(join(to, "a.txt"), "utf8"), "one");
    assert.equal((await stat(join(to, "a.txt"))).mtime.toISOString(), "2020-02-02T02:02:02.000Z");
    assert.ok((await readFile(join(to, "b/large"))).equals(await readFile(join(from, "b/large"))));
    const again = await run(job(), { store }).summary();
    assert.deepEqual([again.written, again.unchanged], [0, 3]);
    await writeFile(join(to, "a.txt"), "two");
    const mended = await run(job(), { store }).summary();
    assert.deepEqual([mended.written, mended.unchanged], [1, 2]);
    assert.equal(await readFile(join(to, "a.txt"), "utf8"), "one");
  });

  it("keeps what cannot be copied with the reason, copies the rest, and replays it once it can", async () => {
    await put(from, "good", "1");
    await put(from, "in-the-way/file", "2");
    await put(to, "in-the-way", "a file where a folder should be");
    await symlink("nowhere", join(from, "broken"));
    await symlink("good", join(from, "link"));
    await mkdir(join(from, "folder"));
    await symlink("folder", join(from, "folder-link"));
    execFileSync("mkfifo", [join(from, "pipe")]);
    const summary = await run(job(), { store }).summary();
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 2, 4]);
    const found = await reasons(summary.run);
    assert.equal(found.broken, "it is a broken link");
    assert.match(found["folder-link"] ?? "", /link to a folder/);
    assert.match(found.pipe ?? "", /neither a file nor a folder/);
    assert.match(found["in-the-way/file"] ?? "", /a file stands where its folder would be/);
    assert.equal(await readFile(join(to, "link"), "utf8"), "1");

    await rm(join(to, "in-the-way"));
    await put(from, "nowhere", "3");
    const record = await findRun(store, summary.run);
    const replayed = await run(replayJob(store, record, job() as never), { store }).summary();
    assert.deepEqual([replayed.read, replayed.written, replayed.quarantined], [4, 2, 2]);
    assert.equal(await readFile(join(to, "broken"), "utf8"), "3");
    assert.match(Object.values(await reasons(replayed.run)).join(), /not a file|folder/);
    assert.equal(await readFile(join(to, "in-the-way/file"), "utf8"), "2");
  });

  it("does not follow a link that leads out of the target", async () => {
    const outside = join(folder, crypto.randomUUID());
    await mkdir(outside);
    await mkdir(to);
    await symlink(outside, join(to, "out"));
    await put(from, "out/file", "secret");
    const summary = await run(job(), { store }).summary();
    assert.deepEqual([summary.quarantined, summary.written], [1, 0]);
    assert.match((await reasons(summary.run))["out/file"] ?? "", /out is a link/);
    assert.deepEqual(await readdir(outside), []);
  });

  it("moves: what was copied is gone from the source, what was not stays", async () => {
    await put(from, "a", "1");
    await put(from, "b/c", "2");
    await put(to, "b", "in the way");
    const summary = await run(job({ move: true }), { store }).summary();
    assert.deepEqual([summary.written, summary.quarantined], [1, 1]);
    assert.deepEqual(await names(from), ["b/c"]);
    assert.deepEqual(await names(to), ["a", "b"]);
  });

  it("never removes the only file there is, to which a link leads from the target", async () => {
    await put(from, "a", "1");
    await put(from, "d/b", "2");
    await put(from, "c", "3");
    await mkdir(to);
    await symlink(join(from, "a"), join(to, "a"));
    await symlink(join(from, "d"), join(to, "d"));
    const summary = await run(job({ move: true }), { store }).summary();
    assert.deepEqual([summary.written, summary.quarantined], [1, 2]);
    assert.deepEqual(await names(from), ["a", "d/b"]);
    assert.match((await reasons(summary.run)).a ?? "", /it and its copy are one file/);
    // Nor where the whole target is the source by another name.
    const alias = `${from}-alias`;
    await symlink(from, alias);
    for (const target of [alias, join(alias, "not/there/yet")])
      await assert.rejects(async () => await run(job({ to: target, move: true }), { store }).summary(), {
        code: "copy.within",
      });
    assert.deepEqual(await names(from), ["a", "d/b"]);
  });

  it("chooses by pattern and by time", async () => {
    for (const key of ["a.jpg", "b.txt", "x/c.jpg", "x/y/d.jpg"]) await put(from, key, key);
    await utimes(join(from, "a.jpg"), new Date(), new Date("2020-01-01"));
    const only = async (more: Partial<CopyOptions>) => {
      await rm(to, { recursive: true, force: true });
      await run(job(more), { store, restart: true }).summary();
      return await names(to);
    };
    assert.deepEqual(await only({ include: ["*.jpg"] }), ["a.jpg", "x/c.jpg", "x/y/d.jpg"]);
    assert.deepEqual(await only({ include: ["x/**"], exclude: ["x/y/*"] }), ["x/c.jpg"]);
    assert.deepEqual(await only({ newer: new Date("2021-01-01") }), ["b.txt", "x/c.jpg", "x/y/d.jpg"]);
    assert.deepEqual(await only({ newer: 3_600_000, exclude: ["*.jpg"] }), ["b.txt"]);
  });

  it("lets a transform give other names and leave objects out", async () => {
    for (const key of ["a.JPG", "b.JPG", "c.tmp"]) await put(from, key, key);
    const ends = copy({ from, to });
    const summary = await run(
      defineJob({
        name: "rename",
        ...ends,
        transform: (entry) =>
          entry.key.endsWith(".tmp") ? null : { ...entry, key: `x/${entry.key.toLowerCase()}` },
      }),
      { store },
    ).summary();
    assert.deepEqual([summary.state, summary.written, summary.skipped], ["succeeded", 2, 1]);
    assert.deepEqual(await names(to), ["x/a.jpg", "x/b.jpg"]);
  });

  it("gives no name twice: all but one of the objects that a transform calls alike are kept with the reason", async () => {
    const keys = Array.from({ length: 12 }, (_, n) => `${n}`);
    for (const key of keys) await put(from, key, key);
    const step = (entry: ObjectEntry) => ({ ...entry, key: Number(entry.key) < 9 ? "one" : entry.key });
    const renaming = () => defineJob({ name: "alike", ...copy({ from, to, move: true }), transform: step });
    const summary = await run(renaming(), { store }).summary();
    assert.deepEqual([summary.written, summary.quarantined], [4, 8]);
    const lost = Object.values(await reasons(summary.run));
    assert.equal(
      lost.filter((reason) => /the name one is given to another object, \d/.test(reason)).length,
      8,
    );
    // Of the nine one was moved: what it holds is the one that is gone.
    const winner = await readFile(join(to, "one"), "utf8");
    assert.deepEqual(
      await names(from),
      keys.slice(0, 9).filter((key) => key !== winner),
    );
  });

  it("repeats no key, password or signature of an address that is none", () => {
    for (const address of [
      "s3://AKIA1:SECRET@bucket/x",
      "s3://AKIA1:SEC/SECRET@bucket/x",
      "s3://bucket:SECRET",
      "s3://bucket?X-Amz-Signature=SECRET",
      "az://account:SECRET/box",
      "https://me:SECRET@host/a?sig=SECRET",
      "sftp://me:SECRET@host/a",
      "manifest:https://host/list.csv?sig=SECRET",
    ])
      assert.throws(
        () => copy({ from: address, to }),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "copy.address");
          assert.doesNotMatch(error.message, /SEC/);
          return true;
        },
        address,
      );
  });

  it("refuses places that lie in one another, and what is not an address", async () => {
    assert.throws(() => copy({ from, to: join(from, "sub") }), { code: "copy.within" });
    assert.throws(() => copy({ from: "s3://b/x/y", to: "s3://b/x" }), { code: "copy.within" });
    assert.throws(() => copy({ from: "gopher://x", to }), { code: "copy.address" });
    assert.throws(() => copy({ from: "https://x/y.jpg", to }), /manifest:FILE/);
    assert.throws(() => copy({ from: "file://host/x", to }), /not a folder of this machine/);
    await assert.rejects(
      async () => await run(job({ from: join(folder, "none") }), { store }).summary(),
      /There is no folder/,
    );
  });

  it("lists the chosen objects of a folder as the source of any job", async () => {
    for (const key of ["a.jpg", "b.txt", "c/d.jpg"]) await put(from, key, key);
    const source = objects(from, { include: ["*.jpg"] });
    assert.deepEqual(
      (await source.sample(10)).map(({ key, size }) => [key, size]),
      [
        ["a.jpg", 5],
        ["c/d.jpg", 7],
      ],
    );
    const seen: unknown[] = [];
    const writer: Writer<ObjectEntry> = {
      checkpoint: null,
      async write(chunk, seal) {
        for await (const slice of chunk.slices())
          for (const object of slice as readonly ObjectEntry[]) seen.push(object.key);
        await seal({ written: chunk.items, unchanged: 0, skipped: 0, duplicates: 0, failures: [] });
      },
      finish: async () => {},
      close: async () => {},
    };
    const open: OpenSink<ObjectEntry> = {
      guarantee: "idempotent",
      ordering: { kind: "any" },
      notes: [],
      writer: async () => writer,
      finalize: async () => {},
      close: async () => {},
    };
    const sink = { open: async () => open };
    const summary = await run(defineJob({ name: from, source, sink }), { store }).summary();
    assert.deepEqual([summary.state, summary.written, seen.sort()], ["succeeded", 2, ["a.jpg", "c/d.jpg"]]);
  });

  it("verifies: what is missing, extra, or differs is told in order", async () => {
    for (const key of ["a", "b", "c/d", "e"]) await put(from, key, key);
    await run(job(), { store }).summary();
    const all = async () => {
      const found: string[] = [];
      for await (const { key, result } of verify({ from, to }))
        if (result !== "same") found.push(`${result} ${key}`);
      return found;
    };
    assert.deepEqual(await all(), []);
    await rm(join(to, "b"));
    await writeFile(join(to, "c/d"), "C/D");
    await writeFile(join(to, "e"), "longer");
    await writeFile(join(to, "f"), "");
    assert.deepEqual(await all(), ["missing b", "differs c/d", "differs e", "extra f"]);
  });

  it("fails as a whole, and not object by object, when the target cannot be written", async (t) => {
    if (process.getuid?.() === 0) return t.skip("root may write everywhere");
    await put(from, "a", "1");
    await mkdir(to);
    await chmod(to, 0o500);
    await assert.rejects(async () => await run(job(), { store }).summary(), /Nothing can be written/);
  });
});

describe("the walk through a folder", () => {
  it("gives the keys in the order of a bucket, and goes on after any of them", async () => {
    const root = await mkdtemp(join(tmpdir(), "pawl-walk-"));
    const part = fc.stringMatching(/^[a-c!.0\-é𝒳]{1,3}$/u).filter((name) => name !== "." && name !== "..");
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
          async (paths) => {
            const base = join(root, crypto.randomUUID());
            await mkdir(base);
            for (const path of paths) {
              const file = join(base, ...path);
              await mkdir(dirname(file), { recursive: true }).catch(() => {});
              await writeFile(file, "").catch(() => {});
            }
            const listed = async (after: string | null) => {
              const keys: string[] = [];
              for await (const { entries } of walk(base, after, root, new AbortController().signal, {
                disk: new Disk(),
                cache: null,
                skips: () => false,
              }))
                keys.push(...entries.map(({ key }) => key));
              return keys;
            };
            const all = await listed(null);
            const ordered = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
            assert.deepEqual(all, ordered);
            for (const [index, key] of all.entries())
              assert.deepEqual(await listed(Buffer.from(key).toString("base64")), all.slice(index + 1));
          },
        ),
        { numRuns: runs(12) },
      );
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it("sorts a folder of many names on disk as it would in memory", async () => {
    const root = await mkdtemp(join(tmpdir(), "pawl-walk-"));
    try {
      await mkdir(join(root, "many"));
      for (let at = 0; at < 2500; at++) await writeFile(join(root, "many", `f${(at * 7919) % 2500}`), "");
      await mkdir(join(root, "many", "folder"));
      const sorted = async (inMemory?: number) => {
        const names: string[] = [];
        for await (const name of sortedNames(join(root, "many"), root, inMemory)) names.push(name);
        return names;
      };
      const inMemory = await sorted();
      assert.deepEqual(await sorted(100), inMemory);
      assert.equal(inMemory.length, 2501);
      assert.deepEqual(await readdir(root), ["many"]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe("a key", () => {
  it("that cannot be a file, or would lie elsewhere, is refused", () => {
    for (const key of ["", "a/", "/a", "a//b", "../a", "a/../b", "a/.", ".", "a\0b", `${"x".repeat(256)}/b`])
      assert.notEqual(refusedName(key, "linux"), null, JSON.stringify(key));
    for (const key of ["a", "a/b", "...", "a..b", ".hidden", "CON", "a:b", "x".repeat(255)])
      assert.equal(refusedName(key, "linux"), null, key);
    for (const key of ["CON", "con.txt", "a:b", "a/b?", "a.", "x\\y"])
      assert.notEqual(refusedName(key, "win32"), null, key);
  });
});

describe("the objects of a chunk", () => {
  it("are given up together, when what stops one of them would stop the others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-chunk-"));
    const writtenLog = new WrittenLog(folder);
    try {
      let tried = 0;
      const place = {
        name: "a disk",
        existenceCheck: () => ({ find: async () => new Map() }),
        nameProblem: () => null,
        open: async () => {
          tried++;
          throw new PawlError("test.gone", "the disk is gone");
        },
      };
      const writer = new CopyWriter(
        {
          reader: place as never,
          writer: place as never,
          limits: new JobLimits({ concurrency: 2 }),
          memory: new MemoryBudget(1024),
          checksums: new ChecksumThreads(),
          transform: null,
          signal: new AbortController().signal,
        },
        { move: false, trustsListing: false, writtenLog, names: null },
      );
      const entries = Array.from({ length: 50 }, (_, n) => ({
        key: `${n}`,
        size: 1,
        modified: null,
        etag: null,
      }));
      const chunk = {
        items: entries.length,
        bytes: entries.length,
        end: null,
        slices: async function* () {
          yield entries;
        },
        origin: async () => ({ raw: new Uint8Array(), at: "" }),
      };
      await assert.rejects(
        writer.write(chunk, () => assert.fail("nothing to seal")),
        { code: "test.gone" },
      );
      // Those that were let in meanwhile have begun.
      assert.ok(tried < 10, String(tried));
    } finally {
      writtenLog.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
