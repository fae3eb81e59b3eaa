import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type CsvOptions, csv } from "../../../../src/connect/csv/index.ts";
import { Folder, readAll, rowsOf, shardsOf } from "../fixture.ts";

test("lines that end in every way, and marks between joined files, give clean values", async () => {
  await using folder = await Folder.make();
  const rows = [
    { id: "1", v: "a" },
    { id: "2", v: "b" },
  ];
  const read = async (text: string, options: CsvOptions = {}) =>
    rowsOf(csv(await folder.file(text), options), folder);
  assert.deepEqual(await read("id,v\r\r\n1,a\r\r\n2,b\r\r\n"), rows);
  assert.deepEqual(await read('id,v\r\r\r\n1,"a"\r\r\n2,b\r\r'), rows);
  assert.deepEqual(await read("\ufeffid,v\n1,a\n\ufeff2,b\n", {}), rows);
  assert.deepEqual(await read('\ufeffid,v\n1,a\n\ufeff"2","b"\n'), rows);
  assert.deepEqual(await read("\ufeffid,v\n1,a\n\ufeffid,v\n2,b\n"), [
    rows[0],
    "row is the header again: files were joined here",
    rows[1],
  ]);
  const [first, ...others] = await read("a\nA\nx@y:1\rz@y:2\nB\n");
  assert.deepEqual([first, others[1]], [{ a: "A" }, { a: "B" }]);
  assert.match(String(others[0]), /carriage return outside quotes/);
  const early = await folder.file("id,v\r1,a\n2,b\n", "t.csv");
  await assert.rejects(rowsOf(csv(early), folder), {
    code: "csv.mixed-line-ends",
    message: /t\.csv line 1 ends with a carriage return alone, and a later line with a line feed/,
  });
});

test("a stray NUL costs its row, in a file of any size, and a file of another encoding is refused", async () => {
  await using folder = await Folder.make();
  for (const text of ["id,v\n1,a\0\n", "id,v\n\0,a\n2,b\n", "id,v\n1,\0a\0b\n"]) {
    const source = csv(await folder.file(text));
    const shards = await shardsOf(source, folder);
    const rows = (await readAll(source, shards, { items: 9, bytes: 1000 })).flatMap((each) => each.rows);
    assert.equal(rows[0], "row contains a NUL byte, which text cannot hold", JSON.stringify(text));
  }
  for (const text of ["id,v\n1,a\n", "a\n1\n"])
    for (const bytes of [Buffer.from(text, "utf16le"), Buffer.from(text, "utf16le").swap16()])
      await assert.rejects(csv(await folder.file(bytes)).describe(), {
        code: "csv.binary",
        message: /: if it is UTF-16, give `encoding: "utf-16le"` or `encoding: "utf-16be"`\.$/,
      });
  await assert.rejects(csv(await folder.file(`id,v\n${"1,a\0\0\0\n".repeat(9)}`)).describe(), {
    code: "csv.binary",
  });
});

test("the end mark of DOS costs its row, and is a value only where it does not end the file", async () => {
  await using folder = await Folder.make();
  const mark = "row ends with Ctrl-Z (0x1A), by which old programs mark the end of a file: remove that byte";
  for (const pack of [(text: string) => text, gzipSync])
    for (const [text, rows] of [
      ["id,v\n1,a\n2,b\x1a", [{ id: "1", v: "a" }, mark]],
      ["id\r\n1\r\n\x1a", [{ id: "1" }, mark]],
      [
        "id,v\n1,a\x1a\n2,b",
        [
          { id: "1", v: "a\x1a" },
          { id: "2", v: "b" },
        ],
      ],
    ] as const)
      assert.deepEqual(await rowsOf(csv(await folder.file(pack(text))), folder), rows, JSON.stringify(text));
});

test("blanks of every kind are trimmed from bare values, and kept within them and in quotes", async () => {
  await using folder = await Folder.make();
  const source = csv(await folder.file('a,b\n\u00a01\u202f2\u3000, "\u00a0x" \n\t\u2003,\u00a0NA\u00a0\n'), {
    trim: true,
    nullValues: ["", "NA"],
  });
  const shards = await shardsOf(source, folder);
  const rows = (await readAll(source, shards, { items: 9, bytes: 1000 })).flatMap((each) => each.rows);
  assert.deepEqual(rows, [
    { a: "1\u202f2", b: "\u00a0x" },
    { a: null, b: null },
  ]);
});
