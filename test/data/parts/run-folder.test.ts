import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { RunFolder } from "../../../src/data/parts/run-folder.ts";
import { ownProcessMark } from "../../../src/process-mark.ts";

const folder = mkdtempSync(join(tmpdir(), "pawl-run-folder-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a run's folder is its user's alone, goes with the run, and takes what killed runs have left along", async () => {
  const place = join(folder, "spill");
  mkdirSync(place);
  const random = "0123456789abcdef";
  const [machine, boot, , start] = ownProcessMark.split("-");
  // A process id that no process has, another start of the same one, another machine, and other names.
  const dead = [
    `pawl-frame-${machine}-${boot}-4194305-1-${random}`,
    `pawl-frame-${machine}-${boot}-${process.pid}-1-${random}`,
  ];
  const kept = [
    `pawl-frame-000000000000-${boot}-4194305-${start}-${random}`,
    `pawl-frame-${ownProcessMark}-${random}`,
    "pawl-frame-x",
    "other",
  ];
  for (const name of [...dead, ...kept]) {
    mkdirSync(join(place, name));
    writeFileSync(join(place, name, "staged.parquet"), "x");
  }
  let path = "";
  {
    await using run = RunFolder.create(place);
    path = run.path;
    assert.equal(statSync(path).mode & 0o777, 0o700);
    writeFileSync(join(path, "a"), "a");
    assert.deepEqual(
      [...dead, ...kept].filter((name) => existsSync(join(place, name))),
      kept,
    );
  }
  assert.equal(existsSync(path), false);
});

test("a place where no folder can be made is said in one sentence", () => {
  writeFileSync(join(folder, "file"), "");
  assert.throws(
    () => RunFolder.create(join(folder, "file", "x")),
    /^PawlError: No folder for a run can be made in .* \(\w+\): name another one with `spill`\.$/,
  );
});
