import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import type { OpenSink, Writer } from "../../../src/batch/contract.ts";
import { defineJob, type RunSummary, run } from "../../../src/batch/index.ts";
import { dryRun, findRun, prepare, replayJob } from "../../../src/batch/internal.ts";
import {
  type CopyOptions,
  copy,
  type ObjectEntry,
  objects,
  verify,
} from "../../../src/connect/objects/index.ts";
import type { Store } from "../../../src/store/index.ts";
import { fileNames, putFile, Workspace } from "./workspace.ts";

describe("copying between folders", () => {
  let workspace: Workspace;
  let store: Store;
  let root: string;
  let from: string;
  let to: string;

  before(async () => {
    workspace = await Workspace.begin();
    ({ store } = workspace);
  });
  beforeEach(async () => {
    ({ root, from, to } = await workspace.ends());
  });
  after(() => workspace.end());

  const job = (more: Partial<CopyOptions> = {}) => defineJob({ name: to, ...copy({ from, to, ...more }) });
  const ran = (more: Partial<CopyOptions> = {}) => run(job(more), { store }).summary();
  const reasons = (summary: RunSummary) => workspace.reasonsBelow(from, summary);

  it("copies each file with its time, and finds all unchanged the second time", async () => {
    await putFile(from, "a.txt", "one");
    await putFile(from, "b/ü 'x'/c", "");
    await putFile(from, "b/large", Buffer.alloc(16 * 1024 * 1024 + 1, "pawl"));
    await utimes(join(from, "a.txt"), new Date(), new Date("2020-02-02T02:02:02Z"));
    const first = await ran();
    assert.deepEqual([first.state, first.read, first.written], ["succeeded", 3, 3]);
    assert.deepEqual(await fileNames(to), ["a.txt", "b/large", "b/ü 'x'/c"]);
    assert.equal(await readFile(join(to, "a.txt"), "utf8"), "one");
    assert.equal((await stat(join(to, "a.txt"))).mtime.toISOString(), "2020-02-02T02:02:02.000Z");
    assert.ok((await readFile(join(to, "b/large"))).equals(await readFile(join(from, "b/large"))));
    const again = await ran();
    assert.deepEqual([again.written, again.unchanged], [0, 3]);
    await writeFile(join(to, "a.txt"), "two");
    const corrected = await ran();
    assert.deepEqual([corrected.written, corrected.unchanged], [1, 2]);
    assert.equal(await readFile(join(to, "a.txt"), "utf8"), "one");
  });

  it("keeps what cannot be copied with the reason, copies the rest, and replays it once it can", async () => {
    await putFile(from, "good", "1");
    await putFile(from, "in-the-way/file", "2");
    await putFile(to, "in-the-way", "a file where a folder should be");
    await symlink("nowhere", join(from, "broken"));
    await symlink("good", join(from, "link"));
    await mkdir(join(from, "folder"));
    await symlink("folder", join(from, "folder-link"));
    execFileSync("mkfifo", [join(from, "pipe")]);
    const summary = await ran();
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 2, 4]);
    const found = await reasons(summary);
    assert.equal(found.broken, "it is a broken link");
    assert.match(found["folder-link"] ?? "", /link to a folder/);
    assert.match(found.pipe ?? "", /neither a file nor a folder/);
    assert.match(found["in-the-way/file"] ?? "", /a file stands where its folder would be/);
    assert.equal(await readFile(join(to, "link"), "utf8"), "1");

    await rm(join(to, "in-the-way"));
    await putFile(from, "nowhere", "3");
    const record = await findRun(store, summary.run);
    const replayed = await run(replayJob(store, record, job() as never), { store }).summary();
    assert.deepEqual([replayed.read, replayed.written, replayed.quarantined], [4, 2, 2]);
    assert.equal(await readFile(join(to, "broken"), "utf8"), "3");
    assert.match(Object.values(await reasons(replayed)).join(), /not a file|folder/);
    assert.equal(await readFile(join(to, "in-the-way/file"), "utf8"), "2");
  });

  it("does not follow a link that leads out of the target", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await mkdir(to);
    await symlink(outside, join(to, "out"));
    await putFile(from, "out/file", "secret");
    const summary = await ran();
    assert.deepEqual([summary.quarantined, summary.written], [1, 0]);
    assert.match((await reasons(summary))["out/file"] ?? "", /out is a link/);
    assert.deepEqual(await readdir(outside), []);
  });

  it("moves: what was copied is gone from the source, what was not stays", async () => {
    await putFile(from, "a", "1");
    await putFile(from, "b/c", "2");
    await putFile(to, "b", "in the way");
    const summary = await ran({ move: true });
    assert.deepEqual([summary.written, summary.quarantined], [1, 1]);
    assert.deepEqual(await fileNames(from), ["b/c"]);
    assert.deepEqual(await fileNames(to), ["a", "b"]);
  });

  it("never removes the only file there is, to which a link leads from the target", async () => {
    await putFile(from, "a", "1");
    await putFile(from, "d/b", "2");
    await putFile(from, "c", "3");
    await mkdir(to);
    await symlink(join(from, "a"), join(to, "a"));
    await symlink(join(from, "d"), join(to, "d"));
    const summary = await ran({ move: true });
    assert.deepEqual([summary.written, summary.quarantined], [1, 2]);
    assert.deepEqual(await fileNames(from), ["a", "d/b"]);
    assert.match((await reasons(summary)).a ?? "", /it and its copy are one file/);
    // Nor where the whole target is the source by another name.
    const alias = `${from}-alias`;
    await symlink(from, alias);
    for (const target of [alias, join(alias, "not/there/yet")])
      await assert.rejects(async () => await ran({ to: target, move: true }), {
        code: "copy.within",
      });
    assert.deepEqual(await fileNames(from), ["a", "d/b"]);
  });

  it("chooses by pattern and by time", async () => {
    for (const key of ["a.jpg", "b.txt", "x/c.jpg", "x/y/d.jpg"]) await putFile(from, key, key);
    await utimes(join(from, "a.jpg"), new Date(), new Date("2020-01-01"));
    const only = async (more: Partial<CopyOptions>) => {
      await rm(to, { recursive: true, force: true });
      await run(job(more), { store, restart: true }).summary();
      return await fileNames(to);
    };
    assert.deepEqual(await only({ include: ["*.jpg"] }), ["a.jpg", "x/c.jpg", "x/y/d.jpg"]);
    assert.deepEqual(await only({ include: ["x/**"], exclude: ["x/y/*"] }), ["x/c.jpg"]);
    assert.deepEqual(await only({ newer: new Date("2021-01-01") }), ["b.txt", "x/c.jpg", "x/y/d.jpg"]);
    assert.deepEqual(await only({ newer: 3_600_000, exclude: ["*.jpg"] }), ["b.txt"]);
  });

  it("lets a transform give other names and leave objects out", async () => {
    for (const key of ["a.JPG", "b.JPG", "c.tmp"]) await putFile(from, key, key);
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
    assert.deepEqual(await fileNames(to), ["x/a.jpg", "x/b.jpg"]);
  });

  it("gives no name twice: all but one of the objects that a transform calls alike are kept with the reason", async () => {
    const keys = Array.from({ length: 12 }, (_, n) => `${n}`);
    for (const key of keys) await putFile(from, key, key);
    const transform = (entry: ObjectEntry) => ({ ...entry, key: Number(entry.key) < 9 ? "one" : entry.key });
    const renaming = () => defineJob({ name: "alike", ...copy({ from, to, move: true }), transform });
    const summary = await run(renaming(), { store }).summary();
    assert.deepEqual([summary.written, summary.quarantined], [4, 8]);
    const lost = Object.values(await reasons(summary));
    assert.equal(
      lost.filter((reason) => /the name one is given to another object, \d/.test(reason)).length,
      8,
    );
    // Of the nine one was moved: what it holds is the one that is gone.
    const winner = await readFile(join(to, "one"), "utf8");
    assert.deepEqual(
      await fileNames(from),
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

  it("refuses locations that lie in one another, and what is not an address", async () => {
    assert.throws(() => copy({ from, to: join(from, "sub") }), { code: "copy.within" });
    assert.throws(() => copy({ from: "s3://b/x/y", to: "s3://b/x" }), { code: "copy.within" });
    assert.throws(() => copy({ from: "gopher://x", to }), { code: "copy.address" });
    assert.throws(() => copy({ from: "https://x/y.jpg", to }), /manifest:FILE/);
    assert.throws(() => copy({ from: "file://host/x", to }), /not a folder of this machine/);
    await assert.rejects(async () => await ran({ from: join(root, "none") }), /There is no folder/);
  });

  it("lists the chosen objects of a folder as the source of any job", async () => {
    for (const key of ["a.jpg", "b.txt", "c/d.jpg"]) await putFile(from, key, key);
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
      async write(chunk, buildCheckpoint) {
        for await (const slice of chunk.slices())
          for (const object of slice as readonly ObjectEntry[]) seen.push(object.key);
        await buildCheckpoint({
          written: chunk.items,
          unchanged: 0,
          skipped: 0,
          duplicates: 0,
          failures: [],
        });
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
    for (const key of ["a", "b", "c/d", "e"]) await putFile(from, key, key);
    await ran();
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

  it("changes nothing in the target in a dry run", async () => {
    await putFile(from, "a", "a");
    await putFile(from, "b", "b");
    await putFile(to, "a", "a");
    await utimes(to, new Date(), new Date("2020-01-01"));
    const prepared = await prepare(job() as never, { store, dryRun: true });
    const would = await dryRun(prepared, root);
    await prepared.sink.close();
    assert.deepEqual([would?.items, would?.chunk?.unchanged], [2, 1]);
    // Also nothing that was there for a moment.
    assert.equal((await stat(to)).mtime.getUTCFullYear(), 2020);
    assert.deepEqual(await fileNames(to), ["a"]);
  });

  it("fails as a whole, and not object by object, when the target cannot be written", async (t) => {
    if (process.getuid?.() === 0) return t.skip("root may write everywhere");
    await putFile(from, "a", "1");
    await mkdir(to);
    await chmod(to, 0o500);
    await assert.rejects(async () => await ran(), /Nothing can be written/);
  });
});
