import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refusedName } from "../../../../src/connect/objects/files/file-name.ts";

describe("a key", () => {
  it("that cannot be a file, or would lie elsewhere, is refused", () => {
    for (const key of ["", "a/", "/a", "a//b", "../a", "a/../b", "a/.", ".", "a\0b", `${"x".repeat(256)}/b`])
      assert.notEqual(refusedName(key, "linux"), null, JSON.stringify(key));
    for (const key of ["a", "a/b", "...", "a..b", ".hidden", "CON", "a:b", "x".repeat(255)])
      assert.equal(refusedName(key, "linux"), null, key);
    for (const key of ["CON", "con.txt", "a:b", "a/b?", "a.", "x\\y"])
      assert.notEqual(refusedName(key, "win32"), null, key);
  });
});
