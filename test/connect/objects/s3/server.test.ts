import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { S3Client as PawlClient } from "../../../../src/connect/objects/s3/client.ts";
import { listObjects } from "../../../../src/connect/objects/s3/list-objects.ts";
import type { ObjectServer } from "./access.ts";
import { startObjects, whyNoObjects } from "./start.ts";

const md5 = (body: Buffer): string => createHash("md5").update(body).digest("hex");

describe("the S3 server of the tests", { skip: whyNoObjects() }, () => {
  let server: ObjectServer;

  before(async () => {
    server = await startObjects();
  });
  after(() => server.stop());

  it("keeps an object with its metadata, headers and tags", async () => {
    const bucket = await server.bucket("whole");
    const body = randomBytes(100_000);
    await bucket.put("a folder/a key+ü.bin", body, {
      "content-type": "image/x-test",
      "cache-control": "max-age=60",
      "x-amz-meta-owner": "somebody",
      "x-amz-tagging": "kind=photo&year=2026",
    });
    const found = await bucket.get("a folder/a key+ü.bin");
    assert.deepEqual(found.body, body);
    const seen = ["content-type", "cache-control", "x-amz-meta-owner", "etag"].map((name) =>
      found.headers.get(name),
    );
    assert.deepEqual(seen, ["image/x-test", "max-age=60", "somebody", `"${md5(body)}"`]);
    assert.deepEqual(await bucket.tags("a folder/a key+ü.bin"), { kind: "photo", year: "2026" });
  });

  it("lists in the order of the keys, page by page", async () => {
    const bucket = await server.bucket("many");
    const keys = Array.from({ length: 120 }, (_, n) => `p/${String(n).padStart(5, "0")}`);
    for (let at = 0; at < keys.length; at += 20)
      await Promise.all(keys.slice(at, at + 20).map((key) => bucket.put(key, "x")));
    await bucket.put("other", "x");
    await bucket.put("p\u{1f600}", "x");
    await bucket.put("p\uffee", "x");
    const listed: string[] = [];
    for await (const { key } of bucket.list("p/", 50)) listed.push(key);
    assert.deepEqual(listed, keys);
    // By their bytes, which is not the order of JavaScript's strings.
    assert.deepEqual((await bucket.keys("p")).slice(-2), ["p\uffee", "p\u{1f600}"]);
    const { access } = server;
    const settings = { ...access, endpoint: new URL(access.endpoint), pathStyle: true, credentials: access };
    const client = await PawlClient.open("many", settings);
    try {
      const after = await listObjects(client, "p/", { after: "00099" });
      assert.deepEqual([after.entries.length, after.entries[0]?.key, after.token], [20, "00100", null]);
      const top = await listObjects(client, "", { after: null }, 1000, true);
      assert.deepEqual([top.folders, top.entries.length], [["p/"], 3]);
      const beyond = await listObjects(client, "p/", { after: "z" });
      assert.deepEqual([beyond.entries, beyond.token], [[], null]);
    } finally {
      client.close();
    }
  });

  it("shows an object of parts when it is complete, and not before", async () => {
    const bucket = await server.bucket("parts");
    const parts = [randomBytes(5 * 2 ** 20), randomBytes(1_000)];
    await bucket.putInParts("large", parts, { "x-amz-meta-owner": "somebody" });
    const { body, headers } = await bucket.get("large");
    assert.ok(body.equals(Buffer.concat(parts)));
    assert.match(headers.get("etag") ?? "", /-2"$/);
    assert.equal(headers.get("x-amz-meta-owner"), "somebody");
    assert.deepEqual(await bucket.unfinished(), []);
  });

  it("refuses what does not fit its checksum, and what is there already when that is asked", async () => {
    const bucket = await server.bucket("refused");
    const wrong = createHash("sha256").update("other").digest("base64");
    await assert.rejects(bucket.put("a", "x", { "x-amz-checksum-sha256": wrong }), /400/);
    await assert.rejects(bucket.put("a", "x", { "content-md5": md5(Buffer.from("other")) }), /400/);
    await bucket.put("a", "x", { "if-none-match": "*" });
    await assert.rejects(bucket.put("a", "y", { "if-none-match": "*" }), /412/);
    assert.equal((await bucket.get("a")).body.toString(), "x");
  });
});
