import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PHRASE } from "./samples.ts";

const recipe = fileURLToPath(new URL("shards.ts", import.meta.url));
const NAMES = ["report-01.txt", "report-02.txt"];

let folder: string;
let documents: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  documents = join(folder, "documents");
  assert.equal((await run("--init", documents, "--count", String(NAMES.length))).code, 0);
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  /** What was said of each document. */
  readonly lines: ReadonlyMap<string, string>;
  readonly last: string | undefined;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [recipe, ...args], (error, stdout) => {
      const lines = stdout.trimEnd().split("\n");
      const last = lines.pop();
      const said = new Map(lines.map((line) => line.split("  ", 2) as [string, string]));
      resolve({ code: error === null ? 0 : Number(error.code), lines: said, last });
    });
  });
}

test("a document that takes for ever is ended, and the others have their results", async () => {
  const { code, lines, last } = await run(documents, "--item", "3");
  assert.equal(code, 3);
  assert.equal(last, "2 of 3 done");
  assert.match(lines.get("stuck.txt") ?? "", /^failed: Item 2 ran longer than 3000 ms/);
  for (const name of NAMES) assert.ok(lines.get(name)?.includes(PHRASE), lines.get(name));
});

test("at the deadline what is not done is ended, though it ignores its signal", async () => {
  const { code, lines } = await run(documents, "--item", "600", "--deadline", "2");
  assert.equal(code, 3);
  assert.equal(lines.get("stuck.txt"), "failed: not done by the deadline of 2 s");
  assert.equal(lines.size, NAMES.length + 1);
});

test("the first error ends the rest, where that is wanted", async () => {
  await writeFile(join(documents, "a-bad-title.txt"), "No: title\nat all\n");
  const { code, lines } = await run(documents, "--item", "600", "--cancel-on-error");
  assert.equal(code, 3);
  assert.equal(lines.get("a-bad-title.txt"), 'failed: The title "No: title" is not plain words.');
  assert.equal(lines.get("stuck.txt"), "failed: cancelled after the first error");
  assert.equal(lines.size, NAMES.length + 2);
});
