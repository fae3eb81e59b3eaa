import assert from "node:assert/strict";
import { test } from "node:test";
import { etagOfBytes, unquotedEtag } from "../../../../src/connect/objects/compare/etag.ts";

test("ETags are read with and without quotes, and computed of the whole or of parts", async () => {
  assert.deepEqual(['"a"', 'W/"a"', "a", undefined].map(unquotedEtag), ["a", "a", "a", null]);
  const bytes = Buffer.from("0123456789");
  for (const cut of [1, 3, 10]) {
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
    };
    assert.equal(await etagOfBytes(pieces(), null), "781e5e245d69b566979b86e28d23f2c7");
    // md5(md5("01234") + md5("56789")), as the S3 manual describes it.
    assert.equal(await etagOfBytes(pieces(), 5), "9a6dbec798b1bfe66cc7659d2bb41720-2");
  }
});
