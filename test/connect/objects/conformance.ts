import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, beforeEach, it } from "node:test";
import { defineJob, run } from "../../../src/batch/index.ts";
import type { ObjectEntry } from "../../../src/connect/objects/contract.ts";
import { copy, verify } from "../../../src/connect/objects/index.ts";
import type { Store } from "../../../src/store/index.ts";
import { interruptedCopy } from "./interrupted.ts";
import { folderContents, md5, type Seen } from "./scene.ts";
import { putFile, Workspace } from "./workspace.ts";

const MB = 1024 * 1024;

/** A bucket or container of a test, as a client of the tests' own sees it. */
export interface TestBucket {
  /** As Pawl is told of it. */
  readonly address: string;
  put(key: string, content: string): Promise<void>;
  get(key: string): Promise<{ readonly body: Buffer }>;
  keys(): Promise<string[]>;
  delete(key: string): Promise<void>;
  /** Objects of which only a part was written; absent where the service drops those by itself. */
  unfinished?(): Promise<string[]>;
}

export interface TestLocation {
  /** How Pawl finds and enters it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Names that it holds besides those that all do. */
  readonly names?: readonly string[];
  /** What is called as a folder can have no content there. */
  readonly foldersAreEmpty?: boolean;
  /** How many other objects lie between those of a test; default 2600, more than two pages of S3. */
  readonly others?: number;
  /** A new, empty bucket. */
  bucket(name: string): Promise<TestBucket>;
  /** Puts many small objects into a bucket, where there is a quicker way than one after the other. */
  fill?(bucket: string, keys: readonly string[]): Promise<void> | void;
  stop(): Promise<void>;
}

/** Names that every location must hold. */
const NAMES = ["a+b&c=d?e#f", "ü/é/𝒳", "100%/%41%2F", "it's (odd) *!~", '<tag>&amp;"', " space "];

/** What a copy promises whatever the service is: every reader and writer of buckets passes it. */
export function conformance(start: () => Promise<TestLocation>): void {
  let location: TestLocation;
  let folder: string;
  let store: Store;
  let name: string;
  let workspace: Workspace;

  before(async () => {
    location = await start();
    workspace = await Workspace.begin(location.environment);
    ({ folder, store } = workspace);
  });
  beforeEach(() => {
    name = `c-${randomBytes(5).toString("hex")}`;
  });
  after(async () => {
    await workspace.end();
    await location.stop();
  });

  const copied = (...args: Parameters<Workspace["copied"]>) => workspace.copied(...args);

  it("carries any name and size there and back, and finds all unchanged the second time", async () => {
    const bucket = await location.bucket(name);
    const from = join(folder, name, "from");
    const sizes = {
      empty: 0,
      one: 1,
      "16 MB": 16 * MB,
      "more than 16 MB": 16 * MB + 1,
      // One more than are written at once.
      "five parts": 32 * MB + 1,
    };
    for (const [key, size] of Object.entries(sizes)) await putFile(from, `sizes/${key}`, randomBytes(size));
    const names = [...NAMES, ...(location.names ?? [])];
    for (const key of names) await putFile(from, key, key);
    const count = Object.keys(sizes).length + names.length;
    const there = `${bucket.address}/x/y`;
    assert.equal((await copied(from, there)).written, count);
    assert.deepEqual(
      (await bucket.keys()).every((key) => key.startsWith("x/y/")),
      true,
    );
    assert.deepEqual((await bucket.unfinished?.()) ?? [], []);
    const back = join(folder, name, "back");
    assert.equal((await copied(`${there}/`, back)).written, count);
    assert.deepEqual(await folderContents(back), await folderContents(from));
    for (const [source, target] of [
      [from, there],
      [there, back],
    ] as const) {
      const again = await copied(source, target);
      assert.deepEqual([again.written, again.unchanged], [0, count]);
      for await (const { key, result } of verify({ from: source, to: target }))
        assert.equal(result, "same", key);
    }
  });

  it("misses what is removed while the copy of it is interrupted, as long as it is", async () => {
    const [source, target] = [await location.bucket(name), await location.bucket(`${name}-2`)];
    await putAll(source, ["a", "b", "c", "d"]);
    const options = { from: source.address, to: target.address };
    const short = await interruptedCopy(options, { store, meanwhile: () => target.delete("a") });
    assert.equal(short.state, "failed");
    assert.match(short.note ?? "", /^An object that this run had copied is not in .* any more \(a\)/);
    await target.put("a", "a");
    const whole = await run(defineJob({ name: options.to, ...copy(options) }), { store }).summary();
    assert.deepEqual([whole.state, whole.written], ["succeeded", 4]);
  });

  it("leaves out no object with content that is called as the folder that is copied", async () => {
    const [source, target] = [await location.bucket(name), await location.bucket(`${name}-2`)];
    await source.put("empty/", "");
    await source.put("empty/x", "x");
    const marked = await copied(`${source.address}/empty`, `${target.address}/empty`);
    assert.deepEqual([marked.read, marked.written], [1, 1]);
    if (location.foldersAreEmpty) return;
    await source.put("dir/", "content");
    await source.put("dir/x", "x");
    const [from, to] = [`${source.address}/dir`, `${target.address}/dir`];
    const below = await copied(from, to);
    assert.deepEqual([below.read, below.written, below.quarantined], [2, 1, 1]);
    const verdicts: string[] = [];
    for await (const { key, result } of verify({ from, to })) verdicts.push(`${key} ${result}`);
    assert.deepEqual(verdicts, [" unreadable", "x same"]);
    assert.equal((await copied(source.address, target.address)).quarantined, 0);
    assert.equal((await target.get("dir/")).body.toString(), "content");
  });

  it("copies again what differs and nothing else, among thousands of others", async () => {
    const [source, target] = [await location.bucket(name), await location.bucket(`${name}-2`)];
    // Between two keys of the source lie more of others than a page of a listing has.
    for (const key of ["a", "m", "n", "o", "p", "z"]) await source.put(key, key);
    const others = Array.from({ length: location.others ?? 2600 }, (_, n) => `b-${n}`);
    await (location.fill?.(`${name}-2`, others) ?? putAll(target, others));
    const first = await copied(source.address, target.address);
    assert.deepEqual([first.written, first.unchanged], [6, 0]);
    await source.put("n", "N");
    await target.delete("z");
    const second = await copied(source.address, target.address);
    assert.deepEqual([second.written, second.unchanged], [2, 4]);
    assert.equal((await target.get("n")).body.toString(), "N");
  });

  it("does not take what lies under the old name of an object for what a transform calls it", async () => {
    const [near, far] = [await location.bucket(name), await location.bucket(`${name}-far`)];
    for (const bucket of [near, far]) await bucket.put("A", "the same in both");
    const job = (step: boolean) => ({
      name: `step ${step}`,
      ...copy({ from: near.address, to: far.address }),
      ...(step ? { transform: (object: ObjectEntry) => ({ ...object, key: object.key.toLowerCase() }) } : {}),
    });
    assert.equal((await run(defineJob(job(false)), { store }).summary()).unchanged, 1);
    assert.equal((await run(defineJob(job(true)), { store }).summary()).written, 1);
    assert.deepEqual(Object.keys(await contentsOf(far)).sort(), ["A", "a"]);
  });

  it("moves objects, and a second time finds nothing", async () => {
    const [source, target] = [await location.bucket(name), await location.bucket(`${name}-2`)];
    for (let at = 0; at < 40; at++) await source.put(`k${at}`, `content ${at}`);
    const before = await contentsOf(source);
    assert.equal((await copied(source.address, target.address, { move: true })).written, 40);
    assert.deepEqual(await source.keys(), []);
    assert.deepEqual(await contentsOf(target), before);
    assert.equal((await copied(source.address, target.address, { move: true })).read, 0);
  });
}

async function putAll(bucket: TestBucket, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 100)
    await Promise.all(keys.slice(at, at + 100).map((key) => bucket.put(key, key)));
}

async function contentsOf(bucket: TestBucket): Promise<Record<string, Seen>> {
  const contents: Record<string, Seen> = {};
  for (const key of await bucket.keys()) {
    const { body } = await bucket.get(key);
    contents[key] = { size: body.length, md5: md5(body) };
  }
  return contents;
}
