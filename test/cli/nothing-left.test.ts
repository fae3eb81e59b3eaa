import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..", "..");
const source = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href);

describe("a promise that nothing settles", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-nothing-left-"));
    await writeFile(join(folder, "module.mts"), "await new Promise(() => {});\nexport default 1;");
    await writeFile(
      join(folder, "job.mts"),
      `import { defineJob } from ${source("src/batch/index.ts")};
      import { NumberSource, MemoryTarget } from ${source("test/batch/memory-ends.ts")};
      class Silent extends NumberSource { describe() { return new Promise(() => {}); } }
      export default defineJob({ name: "silent", source: new Silent(10), sink: new MemoryTarget() });`,
    );
  });
  after(() => rm(folder, { recursive: true }));

  const pawl = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...args], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, PAWL_STORE: join(folder, "store.db") },
    });

  for (const args of [
    ["run", "module.mts"],
    ["worker", "module.mts"],
    ["--config", "module.mts", "status"],
    ["load", "x.csv", "--into", "postgres://127.0.0.1:1/x", "--table", "x", "--transform", "module.mts"],
  ]) {
    it(`is not success in a module: pawl ${args.join(" ")}`, () => {
      const { status, stderr } = pawl(...args);
      assert.match(stderr, /module\.mts never finishes loading: an await at its top level/);
      assert.equal(status, 2);
    });
  }

  it("is not success in what a job is made of", () => {
    const { status, stderr } = pawl("run", "job.mts");
    assert.match(stderr, /The command waits for a promise that nothing settles/);
    assert.equal(status, 4);
  });
});
