import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
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

test("a folder and a link that leads nowhere are told from a path that is wrong", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-import-"));
  const refused = (path: string, message: RegExp) =>
    assert.rejects(importModule(path, "The configuration"), { code: "usage.module", message });
  try {
    await symlink(join(folder, "gone.ts"), join(folder, "link.ts"));
    await refused(folder, /is a folder: name a file in it\.$/);
    await refused(join(folder, "link.ts"), /is a link to a file that does not exist/);
    await refused(join(folder, "none.ts"), /none\.ts does not exist: check the path\.$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a module that loads for long is told about", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-import-"));
  const path = join(folder, "slow.mts");
  await writeFile(
    path,
    "export default await new Promise((resolve) => { globalThis.endLoading = resolve; });",
  );
  const said: string[] = [];
  t.mock.method(process.stderr, "write", (text: string) => said.push(text) > 0);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const alive = setInterval(() => {}, 1_000);
  const ends = globalThis as { endLoading?: (value: number) => void };
  try {
    const loaded = importModule(path, "The configuration");
    while (ends.endLoading === undefined) await setImmediate();
    assert.deepEqual(said, []);
    t.mock.timers.tick(10_000);
    assert.match(said.join(""), /^The configuration .*slow\.mts is still loading after 10 seconds: .*\n$/);
    ends.endLoading(7);
    assert.deepEqual({ ...((await loaded) as object) }, { default: 7 });
  } finally {
    clearInterval(alive);
    await rm(folder, { recursive: true });
  }
});

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
