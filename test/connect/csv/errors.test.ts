import assert from "node:assert/strict";
import { appendFile, mkdir, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Shard } from "../../../src/batch/contract.ts";
import { type CsvOptions, csv } from "../../../src/connect/csv/index.ts";
import { PawlError } from "../../../src/errors.ts";
import { randomFrom } from "../../random.ts";
import { ANY, Folder, planOptions, readAll, rowsOf, signal } from "./fixture.ts";
import { zipFile } from "./open/zip-file.ts";

const CASES: [string, string | Buffer, CsvOptions, string, RegExp][] = [
  ["an empty file", "", {}, "csv.empty", /t\.csv is empty/],
  ["a file of blank lines", "\ufeff\n\r\n", {}, "csv.empty", /t\.csv is empty/],
  ["a header twice", "id,a,id\n1,2,3\n", {}, "csv.header", /names "id" twice, as columns 1 and 3/],
  ["a header without a name", "id,,b\n1,2,3\n", {}, "csv.header", /column 2 of the header has no name/],
  [
    "too few names",
    "id,a\n1,2\n",
    { columns: ["x"] },
    "csv.header",
    /`columns` gives 1 names, but .* has 2 fields/,
  ],
  [
    "an unclosed quote",
    'id,a\n1,b\n2,"c\n3,d\n',
    {},
    "csv.unclosed-quote",
    /t\.csv line 3: the quote that opens here/,
  ],
  [
    "an unclosed quote after text",
    'id,a\n1,"b\n2,"c"\n',
    {},
    "csv.stray-quote",
    /t\.csv line 2: a quote here has no partner/,
  ],
  ["an unclosed quote at once", '"id,a\n1,b\n', {}, "csv.unclosed-quote", /line 1/],
  [
    "a large record",
    `id,a\n1,b\n\n2,${"x".repeat(99)}\n`,
    { maxRecordSize: 50 },
    "csv.record-too-large",
    /line 4: .* 50 bytes; raise `maxRecordSize`/,
  ],
  [
    "UTF-16 without a mark",
    Buffer.from("id,a\n1,b\n", "utf16le"),
    {},
    "csv.binary",
    /`encoding: "utf-16le"`/,
  ],
  [
    "latin1 header",
    Buffer.from("id,é\n1,b\n", "latin1"),
    {},
    "csv.encoding",
    /line 1: the header is not valid UTF-8/,
  ],
  [
    "bytes that are not the encoding",
    Buffer.from([0x61, 0x0a, 0xff, 0xff, 0x0a]),
    { encoding: "shift_jis" },
    "csv.encoding",
    /not shift_jis/,
  ],
];

for (const [what, content, options, code, message] of CASES)
  test(`${what} is one sentence`, async () => {
    await using folder = await Folder.make();
    const path = await folder.file(content, "t.csv");
    await assert.rejects(rowsOf(csv(path, options), folder), (error: unknown) => {
      assert.ok(error instanceof PawlError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.message, /^[^\n]*\.$/);
      return true;
    });
  });

test("a line feed in a file of bare carriage returns is one sentence", async () => {
  await using folder = await Folder.make();
  const path = await folder.file(`id,a\r${"1,b\r".repeat(100_000)}2,c\n`, "t.csv");
  await assert.rejects(rowsOf(csv(path), folder), { code: "csv.mixed-line-ends", message: /line 100002:/ });
});

test("paths that lead nowhere are one sentence, with a near name if there is one", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id\n1\n", "people.csv");
  await mkdir(join(folder.path, "sub"));
  const refused = (given: string, code: string, message: RegExp) =>
    assert.rejects(csv(given).describe(), { code, message });
  await refused(path.replace("people", "poeple"), "csv.missing", /is it .*people\.csv\?/);
  await refused(join(folder.path, "x", "y.csv"), "csv.missing", /does not exist: check the path/);
  await refused(
    join(folder.path, "sub"),
    "csv.directory",
    /is a directory: name its files, such as '.*\*\.csv'/,
  );
  await refused(join(folder.path, "*.tsv"), "csv.no-match", /No file matches/);
  await assert.rejects(csv([]).describe(), { code: "csv.no-match" });
});

test("a glob is all its files in order of name, with one header", async () => {
  await using folder = await Folder.make();
  await folder.file("id\n2\n", "b.csv");
  await folder.file("id\n1\n", "a.csv");
  const source = csv(join(folder.path, "*.csv"));
  assert.deepEqual(await rowsOf(source, folder), [{ id: "1" }, { id: "2" }]);
  assert.equal((await source.describe()).name, "2 files from a.csv to b.csv");
  await folder.file("nr\n2\n", "c.csv");
  await assert.rejects(csv(join(folder.path, "*.csv")).describe(), {
    code: "csv.header-differs",
    message: /c\.csv lacks the column "id" and has a column "nr", other than .*a\.csv/,
  });
});

test("options that cannot be are refused at once", () => {
  for (const options of [
    { delimiter: ";;" },
    { quote: "\n" },
    { delimiter: "'", quote: "'" },
    { nullValues: "a,b", delimiter: "," },
    { encoding: "klingon" },
    { maxRecordSize: 0 },
  ] satisfies CsvOptions[])
    assert.throws(() => csv("x.csv", options), { code: "csv.option" });
});

test("a header alone gives no rows, and a note", async () => {
  await using folder = await Folder.make();
  for (const text of ["id,a", "id,a\n", "id,a\r\n\r\n"]) {
    const source = csv(await folder.file(text));
    assert.deepEqual((await source.describe()).notes.length, 1);
    assert.deepEqual(await rowsOf(source, folder), []);
    assert.deepEqual(await source.sample(5), []);
  }
});

test("rows that are none stand in their place with the reason", async () => {
  await using folder = await Folder.make();
  const content = Buffer.from("id,a\n1,b\n2\n3,\0\n4,\xff\n5,c,d\n6,é\n", "latin1");
  const source = csv(await folder.file(content.subarray(0, content.length - 2 - 4)));
  assert.deepEqual(await rowsOf(source, folder), [
    { id: "1", a: "b" },
    "row has 1 field, the header has 2",
    "row contains a NUL byte, which text cannot hold",
    "row is not valid UTF-8: give the encoding of the file",
    "row has 3 fields, the header has 2",
  ]);
  assert.deepEqual(await source.sample(9), [{ id: "1", a: "b" }]);
});

test("a file that shrinks, grows or vanishes after planning is refused", async () => {
  await using folder = await Folder.make();
  for (const change of [
    (path: string) => truncate(path, 8),
    (path: string) => appendFile(path, "3\n"),
    unlink,
  ]) {
    const path = await folder.file("id\n1\n2\n4\n5\n");
    const source = csv(path);
    const { shards } = await source.shards(1, ANY, planOptions(folder.path));
    await change(path);
    await assert.rejects(readAll(source, shards, { items: 9, bytes: 999 }), (error: unknown) => {
      assert.ok(error instanceof PawlError);
      assert.match(error.code, change === unlink ? /csv\.missing/ : /csv\.changed/);
      return true;
    });
  }
});

test("a file that a program writes into while it is read is never taken for one file", async () => {
  await using folder = await Folder.make();
  const draw = randomFrom(7);
  // Of letters that no packing shortens, so that no form is read in one go.
  const noise = () =>
    Array.from({ length: 60 }, () => String.fromCharCode(97 + Math.floor(draw() * 26))).join("");
  const text = `id,v\n${Array.from({ length: 20_000 }, (_, id) => `${id},${noise()}\n`).join("")}`;
  const forms: [string, Buffer, CsvOptions][] = [
    ["plain", Buffer.from(text), {}],
    ["gzip", gzipSync(text), {}],
    ["zstd", zstdCompressSync(text), {}],
    ["latin1", Buffer.from(text, "latin1"), { encoding: "latin1" }],
    ["zip", zipFile([{ name: "a.csv", text }]), {}],
  ];
  const writes: [string, (path: string, size: number) => Promise<void>][] = [
    ["grows", (path) => appendFile(path, "x")],
    ["shrinks", (path, size) => truncate(path, size - 1000)],
    ["is written over", (path, size) => writeFile(path, Buffer.alloc(size, "1,b\n"), { flag: "r+" })],
  ];
  for (const [form, content, options] of forms) {
    for (const [how, write] of writes) {
      const path = await folder.file(content, `${form}.data`);
      await utimes(path, 1, 1);
      const source = csv(path, options);
      const { shards } = await source.shards(1, ANY, planOptions(folder.path));
      const read = async () => {
        let written = false;
        for await (const chunk of source.read(
          shards[0] as Shard,
          null,
          { items: 500, bytes: 40_000 },
          signal,
        )) {
          for await (const _ of chunk.slices());
          if (!written) await write(path, content.length);
          written = true;
        }
      };
      await assert.rejects(read(), { code: "csv.changed" }, `${form} ${how}`);
    }
  }
});
