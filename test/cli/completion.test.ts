import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { completionsOf } from "../../src/cli/completion.ts";
import { program } from "../../src/cli/program.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const words = (...line: string[]) => completionsOf(program(), line).map((each) => each.split("\t")[0]);

test("commands, subcommands and options are completed", () => {
  assert.ok(
    words("").includes("load") && words("").includes("completion") && !words("").includes("complete"),
  );
  assert.deepEqual(words("lo"), ["load"]);
  assert.deepEqual(words("quarantine", "re"), ["replay"]);
  assert.deepEqual(words("load", "--ta"), ["--table"]);
  assert.deepEqual(words("load", "a.csv", "--table", "t", "--max-q"), ["--max-quarantined"]);
  assert.deepEqual(words("quarantine", "last", "--b"), ["--by"]);
  assert.deepEqual(words("dead", "requeue", "--al"), ["--all"]);
  assert.deepEqual(words("--store", "load", "wor"), ["worker", "workers"]);
  assert.deepEqual(words("load", "--profi"), ["--profile"]);
});

test("a word of which both spellings are taken is offered in one", () => {
  assert.deepEqual([words("load", "--int"), words("load", "--ur")], [["--into"], []]);
  assert.deepEqual([words("backfill", "--int"), words("backfill", "--ur")], [[], ["--url"]]);
});

test("where a file or a value is meant, nothing is offered, and the shell offers files", () => {
  for (const line of [
    ["load", ""],
    ["load", "cus"],
    ["load", "--table", ""],
    ["load", "a.csv", ""],
  ])
    assert.deepEqual(words(...line), [], line.join(" "));
});

test("bash completes by the script, and evaluates nothing of the line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-completion-"));
  try {
    const pawl = join(folder, "pawl");
    await writeFile(pawl, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
    await chmod(pawl, 0o755);
    const script = `
      eval "$(pawl completion bash)"
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _pawl; echo "\${COMPREPLY[*]}"; }
      try pawl quaran
      try pawl queues re
      try pawl '$(touch evil)' lo
      ls evil 2>/dev/null`;
    const { stdout } = spawnSync("bash", ["-c", script], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` },
    });
    assert.equal(stdout, "quarantine\nresume\n\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
