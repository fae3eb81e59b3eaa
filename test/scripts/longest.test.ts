import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LONGEST, longestFirst } from "../../scripts/test/longest.ts";

const root = join(import.meta.dirname, "../..");

test("the files that take longest are there, each once, and begin before others", () => {
  assert.deepEqual(
    LONGEST.filter((file) => !existsSync(join(root, file))),
    [],
  );
  assert.equal(new Set(LONGEST).size, LONGEST.length);
  const [first, second] = LONGEST as [string, string];
  assert.deepEqual(longestFirst(["a.test.ts", second, "b.test.ts", first]), [
    first,
    second,
    "a.test.ts",
    "b.test.ts",
  ]);
});
