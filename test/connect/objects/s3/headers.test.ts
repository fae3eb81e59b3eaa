import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Workspace } from "../workspace.ts";
import { profileOf } from "./access.ts";
import { S3Stub } from "./stub/server.ts";

/** A text as the bytes that its UTF-8 is sent in, one character a byte. */
const sent = (text: string) => Buffer.from(text).toString("latin1");

describe("what goes along with an object", () => {
  let workspace: Workspace;
  let near: S3Stub;
  let far: S3Stub;

  before(async () => {
    [near, far] = [await S3Stub.start(), await S3Stub.start()];
    workspace = await Workspace.begin();
    process.env.AWS_CONFIG_FILE = join(workspace.folder, "config");
    await writeFile(
      process.env.AWS_CONFIG_FILE,
      profileOf("near", near.access) + profileOf("far", far.access),
    );
  });
  after(async () => {
    await workspace.end();
    await near.stop();
    await far.stop();
  });

  const copied = async (bucket: string) => {
    const profiles = { fromProfile: "near", toProfile: "far" };
    const summary = await workspace.ran(`s3://${bucket}`, `s3://${bucket}`, profiles);
    return { ...summary, reasons: await workspace.reasons(summary) };
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
