import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { importModule } from "../../../src/cli/options/module.ts";

/** What a user wrote, under which name, in a package that `npm init -y` made; and what the message advises. */
const cases: readonly (readonly [string, string, RegExp])[] = [
  ["statement.ts", 'import fs from "node:fs";\nexport default fs;', /npm pkg set type=module.*\.mts\.$/],
  ["statement.js", 'import fs from "node:fs";\nexport default fs;', /npm pkg set type=module.*\.mjs\.$/],
  ["export.ts", "export default 1;", /npm pkg set type=module/],
  ["decorated.mts", "function d(_: unknown) {}\n@d class A {}\nexport default A;", /knows no decorators/],
  ["enum.mts", "enum A { B }\nexport default A;", /generates no code/],
  ["view.tsx", "export default 1;", /compile it to JavaScript first/],
  ["required.mts", 'export default require("node:fs");', /end in \.cjs or \.cts/],
  [
    "thrown.mts",
    'throw Object.assign(new Error("no database"), { code: 7 });',
    /could not be imported: no database\.$/,
  ],
  ["exotic.mts", "throw Object.create(null);", /could not be imported: /],
];

test("a module that cannot be imported is told in one sentence, with what to do about it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-import-"));
  try {
    await writeFile(join(folder, "package.json"), '{ "type": "commonjs" }');
    for (const [name, source, advice] of cases) {
      await writeFile(join(folder, name), source);
      await assert.rejects(importModule(join(folder, name), "The job module"), {
        code: "usage.module",
        message: advice,
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
