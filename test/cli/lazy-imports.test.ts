import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..", "..");

/** The modules that a command loads, relative to the root. */
function loadedBy(...args: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), "pawl-loaded-"));
  try {
    const list = join(directory, "loaded");
    const hook = pathToFileURL(join(import.meta.dirname, "fixtures", "print-loaded.ts")).href;
    spawnSync(process.execPath, ["--import", hook, join(root, "src", "cli", "main.ts"), ...args], {
      env: { ...process.env, LOADED: list, PAWL_STORE: join(directory, "pawl.db") },
    });
    const base = `${pathToFileURL(root).href}/`;
    return readFileSync(list, "utf8")
      .split("\n")
      .map((url) => url.replace(base, ""));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// No server listens there: what a backfill is made of has been loaded when that shows.
const nowhere = ["--url", "postgres://127.0.0.1:1/nowhere", "--table", "tickets"];

test("a backfill holds nothing of loads, copies, pools, bars and tables", () => {
  const loaded = loadedBy("backfill", ...nowhere, "--set", "a=1");
  for (const own of ["src/batch/run/execute.ts", "src/connect/postgres/sink/change.ts"])
    assert.ok(loaded.includes(own), own);
  const foreign =
    /^src\/(connect\/(csv\/(?!contract\.ts)|objects)|pool\/(?!callable\/callable\.ts|contract\.ts)|cli\/terminal\/table)|^node_modules\/string-width\/|^node:https?$/;
  assert.deepEqual(
    loaded.filter((each) => foreign.test(each)),
    [],
  );
});

test("a copy of small files holds nothing of loads, backfills, databases, pools and bars", () => {
  const loaded = loadedBy("copy", "from", "to");
  for (const own of ["src/batch/run/prepare.ts", "src/connect/objects/files/reader.ts"])
    assert.ok(loaded.includes(own), own);
  const foreign =
    /^src\/(connect\/(csv|postgres)|pool\/(?!callable\/callable\.ts|contract\.ts)|cli\/terminal\/table)|^node_modules\/(pg|string-width)\//;
  assert.deepEqual(
    loaded.filter((each) => foreign.test(each)),
    [],
  );
});

test("the version needs nothing at all", () => {
  const loaded = loadedBy("--version").filter((each) => /^src\//.test(each) && !/^src\/cli\//.test(each));
  assert.deepEqual(loaded, ["src/errors.ts", "src/visible.ts"]);
});
