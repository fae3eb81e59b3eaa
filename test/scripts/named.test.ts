import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { namedBy } from "../../scripts/test/named.ts";

const here = import.meta.dirname;

test("the words after npm test are files, folders, patterns, and flags with their values", () => {
  assert.deepEqual(namedBy([]), { files: null, flags: [] });
  assert.deepEqual(namedBy([import.meta.filename]).files, [import.meta.filename]);
  assert.ok(namedBy([here]).files?.includes(import.meta.filename));
  assert.deepEqual(namedBy([join(here, "nam*.test.ts")]).files, [import.meta.filename]);
  const flags = ["--test-name-pattern", "word", "--test-only"];
  assert.deepEqual(namedBy(flags), { files: null, flags });
});

test("a word that is none of them is refused, and nothing runs in place of everything", () => {
  for (const words of [["poool"], ["--test-name-pattern=x", "poool"], [here, "poool"]])
    assert.throws(
      () => namedBy(words),
      /^Error: "poool" is neither a file, a folder, nor a flag of node --test/,
    );
  assert.throws(() => namedBy([join(here, "none*.test.ts")]), /No test file is at .*none\*/);
});
