import assert from "node:assert/strict";
import { test } from "node:test";
import { type CsvOptions, csv } from "../../../src/connect/csv/index.ts";
import { PawlError } from "../../../src/errors.ts";
import { Folder, rowsOf } from "./fixture.ts";

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

test("a header alone gives no rows, and a note", async () => {
  await using folder = await Folder.make();
  for (const text of ["id,a", "id,a\n", "id,a\r\n\r\n"]) {
    const source = csv(await folder.file(text));
    assert.deepEqual((await source.describe()).notes.length, 1);
    assert.deepEqual(await rowsOf(source, folder), []);
    assert.deepEqual(await source.sample(5), []);
  }
});

test("records that are not rows stand in their place with the reason", async () => {
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
