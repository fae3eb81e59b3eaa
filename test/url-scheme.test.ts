import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isUrl, isWebUrl, urlScheme } from "../src/url-scheme.ts";

describe("the scheme of a URL", () => {
  it("is what stands before ://", () => {
    assert.equal(urlScheme("s3://bucket/key"), "s3");
    assert.equal(urlScheme("PostgreSQL://host/db"), "PostgreSQL");
    assert.ok(isUrl("git+ssh://host"));
  });

  it("is not the drive of a path on Windows, nor the beginning of another word", () => {
    for (const path of ["C://files/a.csv", "a.csv", "./s3://x", "env:NAME", "file:a.csv", ""])
      assert.equal(urlScheme(path), null, path);
  });

  it("tells the web from the rest", () => {
    assert.ok(isWebUrl("HTTPS://host/a.csv"));
    assert.ok(!isWebUrl("s3://bucket/key"));
    assert.ok(!isWebUrl("https:host"));
  });
});
