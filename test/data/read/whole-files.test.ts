import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { int32, readCsv, readJsonl, text } from "../../../src/data/index.ts";

const columns = { a: int32(), b: text() };
const rows = Array.from({ length: 20_000 }, (_, a) => ({ a, b: `text ${(a * 7919) % 10_007}` }));
const csv = `a,b\n${rows.map(({ a, b }) => `${a},${b}\n`).join("")}`;
const jsonl = rows.map((row) => `${JSON.stringify(row)}\n`).join("");

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-whole-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a packed text that is cut off is an error wherever the cut is", async () => {
  await inFolder(async (folder) => {
    for (const [name, packed] of [
      ["cut.csv.gz", gzipSync(csv)],
      ["cut.csv.zst", zstdCompressSync(csv)],
      ["cut.jsonl.gz", gzipSync(jsonl)],
    ] as const)
      for (const share of [0.2, 0.4, 0.6, 0.8, 0.999]) {
        const path = join(folder, name);
        await writeFile(path, packed.subarray(0, Math.floor(packed.length * share)));
        const frame = name.includes("jsonl") ? readJsonl(path, columns) : readCsv(path, columns);
        await assert.rejects(frame.count(), /cut off|damaged|corrupt/, `${name} at ${share}`);
      }
  });
});

test("a packed text of several parts is read to its end", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "parts.csv.gz");
    const half = csv.indexOf("\n", csv.length / 2) + 1;
    await writeFile(path, Buffer.concat([gzipSync(csv.slice(0, half)), gzipSync(csv.slice(half))]));
    assert.equal(await readCsv(path, columns).count(), rows.length);
  });
});
