import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fromRows, int32 } from "../../../../src/data/index.ts";

const folder = mkdtempSync(join(tmpdir(), "pawl-extensions-"));
const kept = process.env.PAWL_DUCKDB_EXTENSIONS;
after(() => {
  if (kept === undefined) delete process.env.PAWL_DUCKDB_EXTENSIONS;
  else process.env.PAWL_DUCKDB_EXTENSIONS = kept;
  rmSync(folder, { recursive: true, force: true });
});

test("extensions come from the folder that is named, and a wrong one is said with its name", async () => {
  const rows = () => fromRows({ id: int32() }, [{ id: 1 }]).collect();
  process.env.PAWL_DUCKDB_EXTENSIONS = folder;
  assert.deepEqual(await rows(), [{ id: 1 }]);
  writeFileSync(join(folder, "it's.duckdb_extension"), "not an extension");
  await assert.rejects(
    rows(),
    /^PawlError: The extension it's\.duckdb_extension in .* cannot be loaded \(.*\): replace it, or remove it from the folder that PAWL_DUCKDB_EXTENSIONS names\.$/s,
  );
  process.env.PAWL_DUCKDB_EXTENSIONS = join(folder, "none");
  await assert.rejects(rows(), /PAWL_DUCKDB_EXTENSIONS names .*none, which cannot be read \(ENOENT\)/);
});
