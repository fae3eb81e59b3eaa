import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { openItems } from "../../../../src/batch/internal.ts";
import { copy } from "../../../../src/connect/objects/index.ts";
import { openStore, type Store } from "../../../../src/store/index.ts";
import { S3Stub } from "./stub/server.ts";

/** A text as the bytes that its UTF-8 is sent in, one character a byte. */
const sent = (text: string) => Buffer.from(text).toString("latin1");

describe("what goes along with an object", () => {
  const kept = { ...process.env };
  let folder: string;
  let near: S3Stub;
  let far: S3Stub;
  let store: Store;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-headers-"));
    [near, far] = [await S3Stub.start(), await S3Stub.start()];
    const profile = (name: string, { endpoint, accessKeyId, secretAccessKey }: S3Stub["access"]) =>
      `[profile ${name}]\nendpoint_url = ${endpoint}\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
    await writeFile(join(folder, "config"), profile("near", near.access) + profile("far", far.access));
    process.env.AWS_CONFIG_FILE = join(folder, "config");
    process.env.PAWL_STORE = join(folder, "place", "store.db");
    store = await openStore(join(folder, "store.db"));
  });
  after(async () => {
    for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
    Object.assign(process.env, kept);
    await store.close();
    await near.stop();
    await far.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const copied = async (bucket: string) => {
    const ends = copy({
      from: `s3://${bucket}`,
      to: `s3://${bucket}`,
      fromProfile: "near",
      toProfile: "far",
    });
    const summary = await run(defineJob({ name: bucket, ...ends }), { store }).summary();
    const reasons: string[] = [];
    for await (const { reason } of openItems(store, summary.run)) reasons.push(reason);
    return { ...summary, reasons };
  };

  it("arrives byte by byte as it was, in whatever alphabet and with whatever spaces", async () => {
    const headers = {
      "content-type": "text/plain",
      "content-disposition": sent('attachment; filename="Übersicht à.pdf"'),
      "x-amz-meta-utf8": sent("voilà, 日本語 😀"),
      // Ends with the half of a character that JavaScript takes for a space.
      "x-amz-meta-end": sent("voilà"),
      "x-amz-meta-begin": sent("à la carte  with   spaces"),
      "x-amz-meta-latin1": "Gr\xfc\xdfe \xa0",
      "x-amz-meta-encoded": "=?UTF-8?B?w6k=?=",
      "x-amz-meta-__proto__": "kept",
    };
    near.fill("alphabets", ["small"], "x", headers);
    near.fill("alphabets", ["large"], "x".repeat(17 * 2 ** 20), headers);
    await far.bucket("alphabets");
    const { written, reasons } = await copied("alphabets");
    assert.equal(written, 2, reasons.join());
    for (const key of ["small", "large"]) {
      const held = far.headersOf("alphabets", key);
      for (const [name, value] of Object.entries(headers))
        assert.equal(held.get(name), value, `${key} ${name}`);
    }
  });

  it("costs one object where its signature alone is refused, and the run where none was ever taken", async () => {
    near.fill("refused", ["a", "b", "c"]);
    await far.bucket("refused");
    const refusal = Buffer.from("<Error><Code>SignatureDoesNotMatch</Code></Error>");
    far.misbehaviour = {
      answer: ({ key, method }, answer) =>
        key === "b" && method === "PUT" ? { status: 403, headers: {}, body: refusal } : answer,
    };
    const { state, written, quarantined, reasons } = await copied("refused");
    assert.deepEqual([state, written, quarantined], ["succeeded", 2, 1]);
    assert.match(reasons.join(), /its signature is refused by .*, which accepts others/);
    far.misbehaviour = { answer: () => ({ status: 403, headers: {}, body: refusal }) };
    await assert.rejects(copied("refused"), /the secret key is not the one of the access key/);
    far.misbehaviour = {};
  });
});
