import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

const cacheFolder = createRequire(import.meta.url)("../../bin/cache-folder.cjs") as (
  base: string,
) => string | null;

describe("the folder of compiled code", () => {
  let base: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "pawl-cache-"));
  });
  afterEach(() => rm(base, { recursive: true }));

  test("is made for its user alone, and found again", async () => {
    const folder = join(base, "pawl", "compiled");
    assert.equal(cacheFolder(base), folder);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal(cacheFolder(base), folder);
  });

  for (const name of ["pawl", "pawl/compiled"]) {
    test(`is not used where others may write into ${name}, or where a link leads from there`, async () => {
      await mkdir(join(base, name), { recursive: true });
      await chmod(join(base, name), 0o777);
      assert.equal(cacheFolder(base), null);
      await rm(join(base, "pawl"), { recursive: true });
      const elsewhere = join(base, "elsewhere");
      await mkdir(elsewhere);
      if (name !== "pawl") await mkdir(join(base, "pawl"));
      await symlink(elsewhere, join(base, name));
      assert.equal(cacheFolder(base), null);
    });
  }

  test("is not used where it cannot be made", async () => {
    assert.equal(cacheFolder(join(base, "\0")), null);
  });
});
