import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Content, generate, rowsIn } from "../../bench/load/generate.ts";

/** The rows of a generated file, without its header. */
function rowsOf(content: Content): string[] {
  const directory = mkdtempSync(join(tmpdir(), "pawl-generate-"));
  try {
    const path = join(directory, "file.csv");
    const bytes = generate(path, content);
    const text = readFileSync(path, "utf8");
    assert.equal(bytes, Buffer.byteLength(text));
    assert.ok(text.endsWith("\n"));
    return text.trimEnd().split("\n").slice(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const keyOf = (row: string) => Number(row.slice(0, row.indexOf(",")));

test("shuffled rows are the rows of the plain file in another order", () => {
  for (const rows of [1, 2, 3, 1000, 65_537]) {
    const plain = rowsOf({ rows });
    const shuffled = rowsOf({ rows, shuffled: true });
    if (rows === 65_537) assert.notDeepEqual(shuffled, plain);
    assert.deepEqual(new Set(shuffled), new Set(plain));
    assert.deepEqual(
      plain.map(keyOf),
      plain.map((_, index) => index + 1),
    );
  }
});

test("changed rows differ in every row and keep every key", () => {
  const plain = rowsOf({ rows: 5000 });
  const changed = rowsOf({ rows: 5000, changed: true });
  assert.deepEqual(changed.map(keyOf), plain.map(keyOf));
  assert.ok(changed.every((row, index) => row !== plain[index]));
});

test("as many rows as asked for repeat an earlier key", () => {
  const keys = rowsOf({ rows: 10_000, duplicates: 10 }).map(keyOf);
  assert.equal(keys.length, 10_000);
  assert.equal(new Set(keys).size, 9990);
});

test("a size in bytes is met within a few percent", () => {
  const rows = rowsIn(5e6);
  const bytes = rowsOf({ rows }).join("\n").length;
  assert.ok(Math.abs(bytes / 5e6 - 1) < 0.05, `${bytes} bytes`);
});
