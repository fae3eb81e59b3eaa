import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { csv } from "../../../src/connect/csv/index.ts";
import { S3Stub } from "../objects/s3/stub/server.ts";
import { ANY, Folder, planOptions, readAll, rowsOf } from "./fixture.ts";

const ROWS = Array.from({ length: 60_000 }, (_, id) => `${id},"a value, ${id}"`);
const TEXT = Buffer.from(`id,note\n${ROWS.join("\n")}\n`);

describe("a CSV in a bucket", () => {
  let stub: S3Stub;
  const kept = { ...process.env };

  before(async () => {
    stub = await S3Stub.start();
    const { endpoint, accessKeyId, secretAccessKey, region } = stub.access;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      PAWL_PAUSE_MS: "1",
    });
    stub.fill("data", ["in/people.csv"], TEXT);
    stub.fill("data", ["in/people.csv.gz"], gzipSync(TEXT));
    stub.fill("data", ["empty.csv"], Buffer.alloc(0));
  });
  after(async () => {
    for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
    Object.assign(process.env, kept);
    await stub.stop();
  });

  for (const key of ["in/people.csv", "in/people.csv.gz"])
    it(`is read and resumed: ${key}`, async () => {
      await using folder = await Folder.make();
      const source = csv(`s3://data/${key}`, { lineColumn: "line" });
      const { bytes, name, identity } = await source.describe();
      assert.equal(name, key.slice(3));
      assert.ok(identity !== null && bytes !== null && bytes > 0);
      const { shards } = await source.shards(4, ANY, planOptions(folder.path));
      const seen = await readAll(source, shards, { items: 9000, bytes: 1 << 20 });
      const rows = seen.flatMap((chunk) => chunk.rows);
      assert.deepEqual(
        rows.map((row) => (row as { id: string }).id),
        ROWS.map((_, id) => String(id)),
      );
      const rest = await readAll(source, shards, { items: 9000, bytes: 1 << 20 }, seen[1]?.end);
      assert.deepEqual(
        rest.flatMap((chunk) => chunk.rows),
        seen.slice(2).flatMap((chunk) => chunk.rows),
      );
    });

  it("is refused when it has changed since it was planned", async () => {
    await using folder = await Folder.make();
    stub.fill("data", ["changing.csv"], Buffer.from("id\n1\n"));
    const source = csv("s3://data/changing.csv");
    const { shards } = await source.shards(1, ANY, planOptions(folder.path));
    const before = (await source.describe()).identity;
    stub.fill("data", ["changing.csv"], Buffer.from("id\n2\n"));
    await assert.rejects(readAll(source, shards, { items: 10, bytes: 1000 }), { code: "csv.changed" });
    assert.notDeepEqual((await csv("s3://data/changing.csv").describe()).identity, before);
  });

  it("is one sentence where it is missing, empty or no address", async () => {
    await using folder = await Folder.make();
    await assert.rejects(rowsOf(csv("s3://data/none.csv"), folder), {
      code: "csv.missing",
      message: "s3://data/none.csv does not exist: check the bucket and the key.",
    });
    await assert.rejects(csv("s3://data/empty.csv").describe(), { code: "csv.empty" });
    for (const address of ["s3://data", "s3://data/", "s3://data/in/", "s3:///x"])
      await assert.rejects(csv(address).describe(), { code: "csv.address", message: /names no object/ });
    await assert.rejects(csv("https://example.com/a.csv?token=secret").describe(), {
      code: "csv.address",
      message:
        "https://example.com/a.csv cannot be read from where it is: fetch it into a pipe: curl -fsSL URL | pawl load - ….",
    });
  });
});
