import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const program = join(import.meta.dirname, "fixtures", "program.ts");
const said = '["ActorDiedError",[1,5]]\n'.repeat(2);

test("actors work in a program as it stands", async () => {
  assert.equal((await run(process.execPath, [program])).stdout, said);
});

for (const minify of [false, true]) {
  test(`actors work in a program bundled into one ${minify ? "small " : ""}file`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-actor-"));
    try {
      const outfile = join(folder, "program.mjs");
      await build({
        entryPoints: [program],
        bundle: true,
        platform: "node",
        format: "esm",
        target: "node24",
        logLevel: "error",
        outfile,
        minify,
      });
      assert.equal((await run(process.execPath, [outfile])).stdout, said);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
