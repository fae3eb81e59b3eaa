import assert from "node:assert/strict";
import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { defineJob, run } from "../../../src/batch/index.ts";
import { prepare, replayJob } from "../../../src/batch/internal.ts";
import { copyJob } from "../../../src/cli/copy/job.ts";
import { parseObjectAddress } from "../../../src/connect/objects/address.ts";
import { ChecksumThreads } from "../../../src/connect/objects/compare/checksum-threads.ts";
import { Disk } from "../../../src/connect/objects/files/disk.ts";
import { versionOf } from "../../../src/connect/objects/files/file-version.ts";
import { FileReader } from "../../../src/connect/objects/files/reader.ts";
import { FileWriter } from "../../../src/connect/objects/files/writer.ts";
import { type CopyOptions, copy } from "../../../src/connect/objects/index.ts";
import { addressDifference, resolveLocation } from "../../../src/connect/objects/resolved-location.ts";
import { WrittenLog } from "../../../src/connect/objects/transfer/written-log.ts";
import type { Store } from "../../../src/store/index.ts";
import { stateLocation } from "../../../src/store/internal.ts";
import { interruptedCopy } from "./interrupted.ts";
import { environmentOf } from "./s3/access.ts";
import { S3Stub } from "./s3/stub/server.ts";
import { Workspace } from "./workspace.ts";

const names = Array.from({ length: 8 }, (_, at) => `${at}`);
let workspace: Workspace;
let store: Store;
let one: S3Stub;
let other: S3Stub;
let root: string;
let from: string;
let to: string;

before(async () => {
  [one, other] = [await S3Stub.start(), await S3Stub.start()];
  workspace = await Workspace.begin(environmentOf(one.access));
  ({ store } = workspace);
});
beforeEach(async () => {
  ({ root, from, to } = await workspace.ends());
  await mkdir(to);
  for (const name of names) await writeFile(join(from, name), name);
  leadTo(one);
});
after(async () => {
  await workspace.end();
  await one.stop();
  await other.stop();
});

function leadTo({ access }: S3Stub): void {
  process.env.AWS_ENDPOINT_URL_S3 = access.endpoint;
}
async function buckets(): Promise<string> {
  const name = `b-${crypto.randomUUID()}`;
  await one.bucket(name);
  await other.bucket(name);
  return name;
}
const refused = (what: RegExp) => (error: Error & { code: string }) => {
  assert.equal(error.code, "run.other-location");
  assert.match(error.message, what);
  assert.match(error.message, /`restart: true`/);
  return true;
};
const resumed = async (options: CopyOptions) =>
  await run(defineJob({ name: options.to, ...copy(options) }), { store }).summary();
/** An interrupted copy is refused after `meanwhile`, and comes to its end after `back`. */
async function bound(options: CopyOptions, meanwhile: () => unknown, what: RegExp, back: () => unknown) {
  await assert.rejects(
    interruptedCopy(options, { store, meanwhile: async () => meanwhile() }),
    refused(what),
  );
  await back();
  const ended = await run(defineJob({ name: options.to, ...copy(options) }), { store }).summary();
  assert.deepEqual([ended.state, ended.written], ["succeeded", names.length], ended.note);
}

describe("an interrupted copy", () => {
  it("is refused where its target is at another endpoint, which gets nothing, and nothing is removed for it", async () => {
    const bucket = await buckets();
    let left: string[] = [];
    await bound(
      { from, to: `s3://${bucket}`, move: true },
      async () => {
        leadTo(other);
        left = await readdir(from);
      },
      /^s3:\/\/b-.* is at localhost:\d+ now, and was at localhost:\d+, and run /,
      async () => {
        assert.deepEqual([left, await other.client(bucket).keys()], [await readdir(from), []]);
        leadTo(one);
      },
    );
    assert.deepEqual([await readdir(from), await one.client(bucket).keys()], [[], names]);
  });

  it("is refused where its source is at another endpoint", async () => {
    const bucket = await buckets();
    for (const server of [one, other]) server.fill(bucket, names);
    const options = { from: `s3://${bucket}`, to };
    await bound(
      options,
      () => leadTo(other),
      /^s3:\/\/b-.* is at /,
      () => leadTo(one),
    );
  });

  it("is refused where a job of the same name names another location, but for --restart", async () => {
    const elsewhere = join(root, "elsewhere");
    await assert.rejects(async () => {
      await interruptedCopy({ from, to }, { store, meanwhile: async () => assert.fail("now") });
    }, /now/);
    const changed = run(defineJob({ name: to, ...copy({ from, to: elsewhere }) }), { store });
    await assert.rejects(async () => await changed.summary(), refused(/elsewhere any more|leads to/));
    assert.deepEqual(await readdir(root), ["from", "to"]);
    const again = defineJob({ name: to, ...copy({ from, to: elsewhere }) });
    const ended = await run(again, { store, restart: true }).summary();
    assert.deepEqual([ended.state, await readdir(elsewhere)], ["succeeded", names]);
  });

  it("is refused where a folder is another one: made again, or under a link that leads elsewhere", async () => {
    const [away, link] = [join(root, "away"), join(root, "link")];
    await mkdir(away);
    await symlink(from, link);
    const relink = async (target: string) => {
      await rm(link);
      await symlink(target, link);
      await rename(to, `${to}-was`);
      await mkdir(to);
    };
    const back = async () => {
      await assert.rejects(resumed({ from: link, to }), refused(/to is another folder than it was/));
      await rm(to, { recursive: true });
      await assert.rejects(resumed({ from: link, to }), refused(/There is no folder .*to any more/));
      await rename(`${to}-was`, to);
    };
    const led = /link leads to .*away now, and led to .*from/;
    await bound(
      { from: link, to },
      () => relink(away),
      led,
      async () => {
        await rm(link);
        await symlink(from, link);
        await back();
      },
    );
  });

  it("continues where the same location is reached by another name or with other keys", async () => {
    const bucket = await buckets();
    const again = await interruptedCopy(
      { from, to: `s3://${bucket}` },
      {
        store,
        meanwhile: async () => {
          process.env.AWS_ENDPOINT_URL_S3 = `${one.access.endpoint.replace("127.0.0.1", "LocalHost")}/`;
          await rename(from, join(root, "moved"));
          await symlink(join(root, "moved"), from);
        },
      },
    );
    assert.deepEqual([again.state, again.written], ["succeeded", names.length], again.note);
  });

  it("of which nothing was written yet starts over at the other location", async () => {
    const bucket = await buckets();
    const job = () => defineJob({ name: bucket, ...copy({ from, to: `s3://${bucket}` }) });
    const { sink, run: begun } = await prepare(job() as never, { store });
    await sink.close();
    leadTo(other);
    const ended = await run(job(), { store }).summary();
    assert.deepEqual([ended.state, ended.run === begun.id], ["succeeded", false]);
    assert.deepEqual(await other.client(bucket).keys(), names);
  });

  it("removes nothing that an attempt says to have copied and the target does not have", async () => {
    const transform = join(root, "made.mjs");
    await writeFile(transform, 'export default (bytes, { key }) => ({ bytes, key: "made-" + key });');
    const claim = async () => {
      const [{ id } = { id: "" }] = await store.runs({ limit: 1 });
      const done = new WrittenLog(join(stateLocation().runs, id, "kept"));
      for (const name of await readdir(from)) {
        const version = versionOf(await stat(join(from, name), { bigint: true }));
        done.add(name, { size: 1, version });
      }
      done.close();
    };
    const ended = await interruptedCopy({ from, to, transform, move: true }, { store, meanwhile: claim });
    assert.equal(ended.state, "succeeded", ended.note);
    assert.deepEqual(await readdir(from), []);
    assert.deepEqual(
      (await readdir(to)).sort(),
      names.map((name) => `made-${name}`),
    );
  });

  it("says when it continues with another transform than it began with", async () => {
    const transform = join(root, "made.mjs");
    const params = { from, to, transform, include: [], exclude: [], newer: null, move: false };
    const job = async () =>
      await copyJob({ ...params, fromProfile: null, toProfile: null }, { job: {}, wait: {} });
    const notesOf = async () => {
      const prepared = await prepare(await job(), { store });
      await prepared.sink.close();
      return prepared.notes.join("\n");
    };
    const returns = (what: string) => writeFile(transform, `export default (bytes) => ${what};`);
    await returns("bytes");
    assert.equal(await notesOf(), "");
    assert.equal(await notesOf(), "");
    await returns("null");
    assert.match(await notesOf(), /^The transform has changed since the run began/);
  });

  it("is replayed only where it worked", async () => {
    const bucket = await buckets();
    await mkdir(join(from, "bad"));
    await symlink("nowhere", join(from, "bad", "link"));
    const job = defineJob({ name: bucket, ...copy({ from, to: `s3://${bucket}` }) });
    const first = await run(job, { store }).summary();
    assert.equal(first.quarantined, 1);
    leadTo(other);
    const record = await store.run(first.run);
    assert.ok(record);
    await assert.rejects(
      prepare(replayJob(store, record, job as never), { store, replayOf: first.run }),
      refused(/can only be replayed with the locations that it began with/),
    );
  });
});

describe("a location", () => {
  const at = async (endpoint: string) => {
    process.env.AWS_ENDPOINT_URL_S3 = endpoint;
    return await resolveLocation(parseObjectAddress("s3://b/p"), null);
  };
  const same = async (a: string, b: string) =>
    addressDifference(parseObjectAddress("s3://b/p"), await at(a), await at(b)) === null;

  it("of S3 is its host, in whatever spelling, or AWS", async () => {
    for (const [a, b] of [
      ["https://S3.example.com", "https://s3.example.com.:443/"],
      ["http://s3.example.com", "https://s3.example.com"],
      ["http://key:secret@127.0.0.1:9000", "http://[::1]:9000/"],
      ["https://s3.eu-west-1.amazonaws.com", "https://s3.dualstack.us-east-1.amazonaws.com"],
    ] as const)
      assert.equal(await same(a, b), true, `${a} ${b}`);
    for (const [a, b] of [
      ["http://s3.example.com", "http://s3.example.com:9000"],
      ["https://a.r2.cloudflarestorage.com", "https://b.r2.cloudflarestorage.com"],
      ["https://s3.example.com/one", "https://s3.example.com/two"],
      ["https://s3.cn-north-1.amazonaws.com.cn", "https://s3.us-east-1.amazonaws.com"],
      ["https://s3.us-gov-west-1.amazonaws.com", "https://s3.us-east-1.amazonaws.com"],
      ["https://notamazonaws.com", "https://s3.us-east-1.amazonaws.com"],
    ] as const)
      assert.equal(await same(a, b), false, `${a} ${b}`);
    assert.doesNotMatch(JSON.stringify(await at("http://key:secret@127.0.0.1:9000")), /secret/);
  });

  it("of Azure is its account at its service", async () => {
    const of = async (endpoint: string) => {
      Object.assign(process.env, { AZURE_STORAGE_KEY: "AAAA", AZURE_STORAGE_SERVICE_ENDPOINT: endpoint });
      const location = await resolveLocation(parseObjectAddress("az://me/box/p"), null);
      return "at" in location ? location.at : null;
    };
    assert.equal(await of(""), "me.blob.core.windows.net");
    assert.equal(await of("https://me.privatelink.blob.core.windows.net"), "me.blob.core.windows.net");
    assert.equal(await of("https://me.blob.core.chinacloudapi.cn/"), "me.blob.core.chinacloudapi.cn");
    assert.equal(await of("http://127.0.0.1:10000/me"), "localhost:10000/me");
  });

  it("that is a folder is one after the machine was started again, and not another disk at its path", async () => {
    const address = parseObjectAddress(from);
    const now = await resolveLocation(address, null);
    assert.ok(now.kind === "files" && now.folder);
    const with_ = (marks: object, path = now.path) => ({ ...now, path, folder: { ...now.folder, ...marks } });
    const differs = (was: object) => addressDifference(address, was as never, now) !== null;
    assert.equal(differs(with_({ device: "9" })), false);
    assert.equal(differs(with_({}, "/was/elsewhere")), false);
    assert.equal(differs(with_({ made: null })), false);
    assert.equal(differs(with_({ device: "9" }, "/was/elsewhere")), true);
    assert.equal(differs(with_({ inode: "2" })), true);
    assert.equal(differs(with_({ device: "9", made: "1" })), true);
    assert.equal(differs(with_({ inode: null })), true);
  });

  it("that is another folder while it is worked with is an error that may pass, and no end of a listing", async () => {
    const sums = { threads: new ChecksumThreads(), cache: null };
    const writer = new FileWriter(to, { run: "r1", kept: join(root, "kept") }, sums, new Disk());
    await writer.prepare(false);
    await writer.flush();
    const listing = new FileReader(from, root, sums)
      .list(null, new AbortController().signal)
      [Symbol.asyncIterator]();
    assert.equal((await listing.next()).value?.entries.length, names.length);
    for (const path of [from, to]) {
      await rename(path, `${path}-away`);
      await mkdir(path);
    }
    const gone = { code: "copy.other-folder" };
    await assert.rejects(writer.flush(), gone);
    await assert.rejects(async () => await listing.next(), gone);
    await writer.close();
  });
});
