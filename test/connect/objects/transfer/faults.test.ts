import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Asked, type Entry, type Fault, FaultProxy } from "../fault-proxy.ts";
import { fillBucket, whyNoObjects } from "../s3/start.ts";
import { bucketContents, CopyScene, md5, Servers } from "../scene.ts";

const MB = 2 ** 20;
const SIZE = 30_000;

describe("copies through trouble", { skip: whyNoObjects() }, () => {
  let servers: Servers;

  before(async () => {
    servers = await Servers.start();
  });
  after(() => servers.stop());

  const seeded = async (name: string, count: number, size = SIZE) => {
    const scene = await CopyScene.begin(servers, name);
    for (let n = 0; n < count; n++) await scene.source.put(keyOf(n), randomBytes(size + n));
    return scene;
  };

  it("gets over each fault that passes, and pays for no object without need", async () => {
    const onGet: Fault[] = [
      { kind: "refused" },
      { kind: "status", status: 500 },
      { kind: "status", status: 503 },
      { kind: "status", status: 429, retryAfter: "1" },
      { kind: "cut", after: 0 },
      { kind: "cut", after: 20_000 },
      { kind: "short", by: 10 },
      { kind: "spoilt" },
      { kind: "lost" },
    ];
    const onPut: Fault[] = [
      { kind: "refused" },
      { kind: "status", status: 500 },
      { kind: "status", status: 503 },
      { kind: "status", status: 429, retryAfter: "1" },
      { kind: "cut-upload", after: 10_000 },
      { kind: "spoilt-upload" },
      { kind: "lost" },
    ];
    await using scene = await seeded("passing", onGet.length + onPut.length + 2);
    // Each fault strikes one object, once.
    strikeOnce(scene.near, "get", onGet, 0);
    strikeOnce(scene.far, "put", onPut, onGet.length);
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.deepEqual(struck(scene.near), onGet.map(({ kind }) => kind).sort());
    assert.deepEqual(struck(scene.far), onPut.map(({ kind }) => kind).sort());
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
    for (const [key, { length }] of Object.entries(Object.groupBy(scene.far.done("put"), keyOfEntry)).map(
      ([key, entries]) => [key, entries ?? []] as const,
    )) {
      // Only where the answer was lost no process could know that the object was there.
      const lost = scene.far.journal.some((entry) => entry.asked.key === key && entry.fault?.kind === "lost");
      assert.ok(length <= (lost ? 2 : 1), `${key} was written ${length} times`);
    }
  });

  it("gets over a fault of the first requests on either side", async () => {
    await using scene = await seeded("first", 3);
    for (const proxy of [scene.near, scene.far]) {
      let asked = 0;
      proxy.decide = () => (asked++ < 2 ? { kind: "refused" } : null);
    }
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
  });

  it("waits as long as Retry-After asks", async () => {
    await using scene = await seeded("later", 1);
    let first = 0;
    let second = 0;
    scene.near.decide = ({ operation }) => {
      if (operation !== "get") return null;
      if (first === 0) {
        first = Date.now();
        return { kind: "status", status: 429, retryAfter: "3" };
      }
      second ||= Date.now();
      return null;
    };
    assert.equal((await scene.copy()).code, 0);
    // A timer may be a few milliseconds early.
    assert.ok(second - first >= 2_900, `${second - first} ms`);
  });

  it("keeps what fails for good with its reason, copies all else, and replays it once it is fixed", async () => {
    const lasting: [Fault, RegExp][] = [
      [{ kind: "status", status: 403 }, /access is denied/],
      [{ kind: "status", status: 404 }, /not there/],
      [{ kind: "status", status: 503 }, /SlowDown/],
      [{ kind: "cut", after: 20_000 }, /connection|bytes/],
      [{ kind: "spoilt" }, /checksum/],
    ];
    await using scene = await seeded("lasting", 20);
    scene.near.decide = (asked) =>
      asked.operation === "get" ? (lasting[numberOf(asked)]?.[0] ?? null) : null;
    const { code, out, err } = await scene.copy();
    assert.equal(code, 3, out + err);
    const summary = JSON.parse(out);
    assert.deepEqual(
      [summary.state, summary.read, summary.written, summary.quarantined],
      ["succeeded", 20, 20 - lasting.length, lasting.length],
    );
    assert.deepEqual(
      await scene.target.keys(),
      (await scene.source.keys()).filter((_, n) => n >= lasting.length),
    );
    const failures = await scene.pawl("quarantine", "last", "--json");
    const lines = failures.out.trim().split("\n");
    assert.equal(lines.length, lasting.length, failures.out);
    for (const [n, [, reason]] of lasting.entries()) {
      const line = lines.find((text) => text.includes(keyOf(n)));
      assert.match(line ?? "", reason);
    }
    for (const secret of ["test-Secret-4417"]) assert.ok(!(out + err + failures.out).includes(secret));
    scene.near.decide = () => null;
    const replayed = await scene.pawl("quarantine", "replay", "last");
    assert.equal(replayed.code, 0, replayed.out + replayed.err);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
  });

  it("sees that a part of a large object that was put in parts came with other bytes", async () => {
    await using scene = await seeded("ranges", 0);
    await scene.source.putInParts("large", [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(100_000)]);
    let spoilt = 0;
    scene.near.decide = ({ operation }) =>
      operation === "get" && spoilt++ === 1 ? { kind: "spoilt" } : null;
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.ok(spoilt > 1);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
    assert.deepEqual(await scene.target.unfinished(), []);
  });

  it("completes a large object through faults of its parts", async () => {
    await using scene = await seeded("parts", 0);
    await scene.source.put("large", randomBytes(17 * MB), { "x-amz-meta-owner": "somebody" });
    const faults: Fault[] = [
      { kind: "refused" },
      { kind: "status", status: 500 },
      { kind: "cut-upload", after: 100_000 },
      { kind: "spoilt-upload" },
      { kind: "lost" },
    ];
    // The bytes of a part that came otherwise are seen by the sum of the whole only.
    const ranges: Fault[] = [{ kind: "cut", after: 100_000 }, { kind: "refused" }, { kind: "spoilt" }];
    scene.far.decide = ({ operation }) => (operation === "part" ? (faults.shift() ?? null) : null);
    scene.near.decide = ({ operation }) => (operation === "get" ? (ranges.shift() ?? null) : null);
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.deepEqual([faults.length, ranges.length], [0, 0]);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
    assert.equal((await scene.target.head("large")).get("x-amz-meta-owner"), "somebody");
    assert.deepEqual(await scene.target.unfinished(), []);
  });

  for (const how of ["cancelled", "started over"]) {
    it(`leaves no upload and no listing behind of a run that is ${how} after a kill`, async () => {
      await using scene = await seeded(how.replace(" ", "-"), 0);
      await scene.source.put("large", randomBytes(16 * MB + 1));
      const stuck = Promise.withResolvers<void>();
      scene.far.decide = ({ operation }) => {
        if (operation !== "part") return null;
        stuck.resolve();
        return { kind: "slow", ms: 60_000 };
      };
      const killed = scene.startCopy();
      await stuck.promise;
      killed.child.kill("SIGKILL");
      await killed.ended;
      scene.far.decide = () => null;
      assert.deepEqual(await scene.target.unfinished(), ["large"]);
      if (how === "cancelled") {
        const { code, out, err } = await scene.pawl("cancel", "last");
        assert.equal(code, 0, out + err);
        assert.deepEqual(await scene.target.keys(), []);
      } else {
        const { code, out, err } = await scene.copy("--restart");
        assert.equal(code, 0, out + err);
        assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
      }
      assert.deepEqual(await scene.target.unfinished(), []);
      const kept = (await readdir(scene.path(".pawl/runs"), { recursive: true })).filter((name) =>
        /kept./.test(name),
      );
      assert.deepEqual(kept, []);
    });
  }

  it("sees by the parts of the source that a part came to the target with other bytes, though none is signed", async () => {
    await using scene = await seeded("unsigned", 0);
    await scene.source.putInParts("large", [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(5)]);
    await scene.source.putInParts("other", [randomBytes(9 * MB), randomBytes(100_000)]);
    const signatures = new Set<unknown>();
    let parts = 0;
    scene.far.decide = ({ operation, headers }) => {
      if (operation !== "part") return null;
      signatures.add(headers["x-amz-content-sha256"]);
      return parts++ === 1 ? { kind: "spoilt-upload" } : null;
    };
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.deepEqual([...signatures], ["UNSIGNED-PAYLOAD"]);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
    assert.deepEqual(await scene.target.unfinished(), []);
  });

  it("lets the provider copy the parts of a large object itself, and carries them where it does not", async () => {
    for (const knows of [true, false]) {
      await using scene = await seeded(`within-${knows}`, 0);
      const parts = [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(5)];
      const headers = { "content-type": "image/png", "x-amz-meta-owner": "somebody", "x-amz-tagging": "a=b" };
      await scene.source.putInParts("small", parts, headers);
      await scene.source.putInParts("large", [randomBytes(9 * MB), randomBytes(8 * MB)]);
      const to = await servers.near.bucket(`other-${knows}`);
      let gets = 0;
      scene.near.decide = ({ operation, headers: sent }) => {
        if (operation === "get") gets++;
        const copies = operation === "part" && sent["x-amz-copy-source"] !== undefined;
        return copies && !knows ? { kind: "status", status: 501 } : null;
      };
      const profiles = ["--from-profile", "near", "--to-profile", "near"];
      const names = [`s3://${scene.source.bucket}`, `s3://${to.bucket}`];
      const { code, out, err } = await scene.pawl("copy", ...names, ...profiles, "--json");
      assert.equal(code, 0, out + err);
      assert.equal(gets, knows ? 0 : 5);
      assert.deepEqual(await bucketContents(to), await bucketContents(scene.source));
      assert.equal((await to.head("small")).get("content-type"), "image/png");
      assert.equal((await to.head("small")).get("x-amz-meta-owner"), "somebody");
      assert.deepEqual(await to.tags("small"), { a: "b" });
      assert.deepEqual(await to.unfinished(), []);
      const again = await scene.pawl("copy", ...names, ...profiles, "--json", "--restart");
      assert.match(again.out, /"written":0,/);
      assert.match(again.out, /"unchanged":2,/);
    }
  });

  it("signs each part where the target asks for it", async () => {
    await using scene = await seeded("signed", 0);
    await scene.source.putInParts("large", [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(5)]);
    let refused = 0;
    let signed = 0;
    scene.far.decide = ({ operation, headers }) => {
      if (operation !== "part") return null;
      if (headers["x-amz-content-sha256"] !== "UNSIGNED-PAYLOAD") signed++;
      else refused++;
      return headers["x-amz-content-sha256"] === "UNSIGNED-PAYLOAD" ? { kind: "status", status: 403 } : null;
    };
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.ok(refused > 0 && signed === 3, `${refused} were refused, ${signed} signed`);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
  });

  it("is not taken in when the answer to the last request of an upload is lost", async () => {
    await using scene = await seeded("complete", 0);
    await scene.source.put("large", randomBytes(16 * MB + 1));
    let lost = 0;
    scene.far.decide = ({ operation }) =>
      operation === "complete-parts" && lost++ === 0 ? { kind: "lost" } : null;
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
    assert.deepEqual(await scene.target.unfinished(), []);
  });

  it("goes on when listing meets trouble, and after a kill in the middle of it", async () => {
    await using scene = await CopyScene.begin(servers, "listing");
    // Folders are listed at once: the keys between them, before and behind them must not be lost.
    const keys = Array.from({ length: 1_050 }, (_, n) => `k/${n % 11}/${String(n).padStart(5, "0")}`);
    keys.push("a", "k/3+", "k/z", "ü/last");
    await fillBucket(servers.near, scene.source.bucket, keys);
    const pages = () =>
      scene.near.done("list").filter(({ asked: { query } }) => query.get("max-keys") === "1000");
    scene.near.decide = ({ operation }) => (operation === "list" ? { kind: "slow", ms: 200 } : null);
    const victim = scene.startCopy();
    while (victim.child.exitCode === null && pages().length < 4) await sleep(5);
    victim.child.kill("SIGKILL");
    await victim.ended;
    assert.deepEqual(await scene.target.keys(), []);

    const faults: Fault[] = [
      { kind: "cut", after: 500 },
      { kind: "status", status: 503 },
      { kind: "refused" },
      { kind: "lost" },
    ];
    scene.near.decide = ({ operation, query }) =>
      operation === "list" && query.get("max-keys") !== "1" ? (faults.shift() ?? null) : null;
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.equal(faults.length, 0);
    assert.equal(JSON.parse(out).written, keys.length);
    const inOrder = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(await scene.target.keys(), inOrder);
  });

  it("reads what a manifest names through the trouble of the web", async () => {
    await using scene = await CopyScene.begin(servers, "web");
    const body = randomBytes(SIZE);
    const web = createServer((request, response) => {
      if (request.url === "/missing.jpg") response.writeHead(404).end();
      else if (request.url === "/secret.jpg") response.writeHead(403).end();
      else response.writeHead(200, { "content-type": "image/jpeg", "content-length": SIZE }).end(body);
    }).listen(0, "127.0.0.1");
    await once(web, "listening");
    await using proxy = await FaultProxy.start(`http://127.0.0.1:${(web.address() as AddressInfo).port}`);
    const faults: Record<string, Fault> = {
      "/refused.jpg": { kind: "refused" },
      "/busy.jpg": { kind: "status", status: 429, retryAfter: "1" },
      "/broken.jpg": { kind: "status", status: 500 },
      "/cut.jpg": { kind: "cut", after: 10_000 },
      "/spoilt.jpg": { kind: "spoilt" },
    };
    const passing = { ...faults };
    proxy.decide = ({ path }) => {
      if (path === "/always-cut.jpg") return { kind: "cut", after: 10_000 };
      const fault = passing[path] ?? null;
      delete passing[path];
      return fault;
    };
    const names = [...Object.keys(faults), "/good.jpg", "/missing.jpg", "/secret.jpg", "/always-cut.jpg"];
    const rows = names.map((name) => `${proxy.url}${name},${name.slice(1)},${md5(body)}`);
    rows.push(`${proxy.url}/good.jpg,wrong-sum.jpg,${md5(randomBytes(4))}`, "ftp://example.com/a,a,", ",b,");
    await scene.write("urls.csv", `url,name,md5\n${rows.join("\n")}\n`);
    const args = ["copy", "manifest:urls.csv", `s3://${scene.target.bucket}/photos`, "--to-profile", "far"];
    const { code, out, err } = await scene.pawl(...args, "--json");
    web.closeAllConnections();
    web.close();
    assert.equal(code, 3, out + err);
    const { written, quarantined } = JSON.parse(out);
    const failures = (await scene.pawl("quarantine", "last", "--json")).out;
    assert.deepEqual([written, quarantined], [6, 6], failures);
    const good = [...Object.keys(faults), "/good.jpg"].map((name) => `photos${name}`).sort();
    assert.deepEqual(await scene.target.keys(), good);
    for (const key of good) assert.ok((await scene.target.get(key)).body.equals(body));
    for (const reason of [
      /missing.*not there/,
      /secret.*denied/,
      /checksum of the bytes.*wrong-sum/,
      /always-cut/,
      /ftp:/,
    ])
      assert.match(failures, reason);
  });

  it("refuses keys that lead out of a folder, and that a file system cannot hold", async () => {
    await using scene = await seeded("names", 3);
    const long = "n".repeat(255);
    await scene.source.put(long, "long");
    // The server lies over a file system too, so that only its listing can be made to hold these.
    const evil = ["../outside", "a/../../outside", "/etc/outside", "a//b", "nul\u0000byte", `${long}1`];
    scene.near.decide = ({ operation, query }) =>
      operation === "list" ? { kind: "rewritten", body: (text) => withKeys(text, evil, query) } : null;
    const { code, out, err } = await scene.pawl(
      "copy",
      `s3://${scene.source.bucket}`,
      scene.path("into"),
      "--from-profile",
      "near",
      "--json",
    );
    assert.equal(code, 3, out + err);
    const failures = await scene.pawl("quarantine", "last", "--json");
    const summary = JSON.parse(out);
    assert.deepEqual([summary.written, summary.quarantined], [4, evil.length], failures.out);
    assert.equal(failures.out.trim().split("\n").length, evil.length);
  });
});

function keyOf(n: number): string {
  return `album/${String(n).padStart(4, "0")}.jpg`;
}

function numberOf({ key }: Asked): number {
  return Number(/(\d+)\.jpg$/.exec(key)?.[1] ?? Number.NaN);
}

function keyOfEntry({ asked }: Entry): string {
  return asked.key;
}

/** Lets the n-th fault strike the first request for the object `from + n`. */
function strikeOnce(proxy: FaultProxy, operation: string, faults: readonly Fault[], from: number): void {
  const done = new Set<number>();
  proxy.decide = (asked) => {
    const n = numberOf(asked);
    const fault = asked.operation === operation ? faults[n - from] : undefined;
    if (fault === undefined || done.has(n)) return null;
    done.add(n);
    return fault;
  };
}

function struck(proxy: FaultProxy): string[] {
  return proxy.journal.flatMap(({ fault }) => (fault === null ? [] : [fault.kind])).sort();
}

/** The last page of a listing with more keys in it, in their order; any other page is left alone. */
function withKeys(page: string, keys: readonly string[], query: URLSearchParams): string {
  const from = query.get("start-after") ?? "";
  if (query.get("max-keys") === "1" || query.has("delimiter") || page.includes("<IsTruncated>true"))
    return page;
  const one = (key: string) =>
    `<Contents><Key>${encodeURIComponent(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  const keyOf = (entry: string) => decodeURIComponent(/<Key>(.*?)<\/Key>/s.exec(entry)?.[1] ?? "");
  const own = [...page.matchAll(/<Contents>.*?<\/Contents>/gs)].map(([entry]) => entry);
  const all = [...own, ...keys.filter((key) => key > from).map(one)].sort((a, b) =>
    Buffer.compare(Buffer.from(keyOf(a)), Buffer.from(keyOf(b))),
  );
  return (
    page
      .replaceAll(/<Contents>.*?<\/Contents>/gs, "")
      .replace(/<KeyCount>\d+</, `<KeyCount>${all.length}<`)
      // Not every server says how keys are written, or writes them so.
      .replace(/<EncodingType>.*?<\/EncodingType>/, "")
      .replace("</ListBucketResult>", `<EncodingType>url</EncodingType>${all.join("")}</ListBucketResult>`)
  );
}
