import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type CsvOptions, type CsvRow, csv } from "../../../src/connect/csv/index.ts";
import { ANY, Folder, planOptions, readAll, rowsOf, signal } from "./fixture.ts";

const ROWS = Array.from({ length: 3000 }, (_, id) => `${id},"zé\n""${id}""",${id % 7}\n`);
const TEXT = `id,note,n\n${ROWS.join("")}`;
const records = ROWS.map((row) => row.slice(0, -1));

function utf16be(text: string): Buffer {
  return Buffer.from(`\ufeff${text}`, "utf16le").swap16();
}

const FORMS: [string, Buffer, CsvOptions][] = [
  ["gzip", gzipSync(TEXT), {}],
  ["several gzip members", Buffer.concat([gzipSync(TEXT.slice(0, 999)), gzipSync(TEXT.slice(999))]), {}],
  ["zstd", zstdCompressSync(TEXT), {}],
  ["UTF-16 with a mark", Buffer.from(`\ufeff${TEXT}`, "utf16le"), {}],
  ["UTF-16 big-endian with a mark", utf16be(TEXT), {}],
  ["UTF-16 as told", Buffer.from(TEXT, "utf16le"), { encoding: "utf-16le" }],
  ["latin1", Buffer.from(TEXT, "latin1"), { encoding: "latin1" }],
  ["packed latin1", gzipSync(Buffer.from(TEXT, "latin1")), { encoding: "latin1" }],
];

for (const [form, content, options] of FORMS)
  test(`${form}: all rows come, resume gives the rest, and the bytes add up to the file`, async () => {
    await using folder = await Folder.make();
    const source = csv(await folder.file(content, "x.csv"), options);
    const planned = await source.shards(4, ANY, planOptions(folder.path));
    assert.equal(planned.shards.length, 1);
    assert.deepEqual([planned.shards[0]?.items, planned.shards[0]?.bytes], [null, content.length]);
    const seen = await readAll(source, planned.shards, { items: 700, bytes: 20_000 });
    assert.ok(seen.length > 4);
    assert.deepEqual(
      seen.flatMap(({ raws }) => raws),
      records,
    );
    assert.equal(seen[1]?.ats[0], `x.csv line ${2 + 2 * (seen[0]?.raws.length ?? 0)}`);
    const rest = await readAll(source, planned.shards, { items: 100, bytes: 1 << 20 }, seen[1]?.end);
    assert.deepEqual(
      rest.flatMap(({ raws }) => raws),
      seen.slice(2).flatMap(({ raws }) => raws),
    );
    let bytes = 0;
    for (const shard of planned.shards)
      for await (const chunk of source.read(shard, null, { items: 500, bytes: 1 << 20 }, signal))
        bytes += chunk.bytes;
    assert.equal(bytes, content.length);
    assert.deepEqual(
      (await source.sample(2)).map(({ id }) => id),
      ["0", "1"],
    );
  });

const input = (text: string) =>
  csv("-", { stdin: Readable.from([Buffer.from(text.slice(0, 5)), Buffer.from(text.slice(5))]) });

test("standard input may be described and sampled before it is read, once", async () => {
  await using folder = await Folder.make();
  const source = input(TEXT);
  const description = await source.describe();
  assert.deepEqual([description.identity, description.bytes], [null, null]);
  assert.equal((await source.sample(3)).length, 3);
  assert.equal((await rowsOf(source, folder)).length, 3000);
  await assert.rejects(rowsOf(source, folder), { code: "csv.stdin-taken" });
});

test("standard input goes on where it stopped if it is the same input, and else is refused", async () => {
  await using folder = await Folder.make();
  const pace = { items: 1000, bytes: 1 << 20 };
  const { shards } = await input(TEXT).shards(1, ANY, planOptions(folder.path));
  const seen = await readAll(input(TEXT), shards, pace);
  const rest = await readAll(input(TEXT), shards, pace, seen[0]?.end);
  assert.deepEqual(
    rest.flatMap(({ raws }) => raws),
    records.slice(1000),
  );
  for (const other of [TEXT.replace("zé", "ze"), TEXT.slice(0, 200)])
    await assert.rejects(readAll(input(other), shards, pace, seen[0]?.end), { code: "csv.other-input" });
});

test("packed standard input is unpacked", async () => {
  await using folder = await Folder.make();
  assert.equal((await rowsOf(csv("-", { stdin: Readable.from([gzipSync(TEXT)]) }), folder)).length, 3000);
});

test("a packed file that is cut off or damaged is one sentence", async () => {
  await using folder = await Folder.make();
  const packed = gzipSync(
    Buffer.from(Array.from({ length: 200_000 }, (_, id) => `${id},${Math.sin(id)}`).join("\n")),
  );
  const damaged = Buffer.from(packed);
  damaged.fill(7, packed.length - 900_000, packed.length - 890_000);
  for (const content of [packed.subarray(0, packed.length - 500_000), damaged]) {
    const source = csv(await folder.file(content), { header: false });
    await assert.rejects(rowsOf(source, folder), {
      code: "csv.corrupt-archive",
      message: /cut off or damaged/,
    });
  }
});

test("plain and packed files together are one source in order", async () => {
  await using folder = await Folder.make();
  const paths = [
    await folder.file("id,n\n1,a\n2,b\n"),
    await folder.file(gzipSync("id,n\n3,c\n")),
    await folder.file("id,n\n4,d"),
  ];
  const rows = (await rowsOf(csv(paths), folder)) as CsvRow[];
  assert.deepEqual(
    rows.map(({ id }) => id),
    ["1", "2", "3", "4"],
  );
  const ordered = await csv(paths).shards(
    4,
    { kind: "byKey", key: [{ name: "id", equality: "integer" }] },
    planOptions(folder.path),
  );
  assert.deepEqual([ordered.shards.length, ordered.duplicates, ordered.notes.length], [1, null, 1]);
  const free = await csv(paths).shards(3, ANY, planOptions(folder.path));
  assert.ok(free.shards.length > 1);
});
