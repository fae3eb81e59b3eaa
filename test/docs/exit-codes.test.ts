import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXIT } from "../../src/cli/exit-codes.ts";

test("the table of exit codes is that of the code, and the only one", () => {
  const page = readFileSync(new URL("../../docs/command-line.md", import.meta.url), "utf8");
  const section = page.slice(page.indexOf("## Exit codes"));
  const rows = [...section.matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code));
  assert.deepEqual(rows, Object.values(EXIT));
});
