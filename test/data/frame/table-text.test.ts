import assert from "node:assert/strict";
import { test } from "node:test";
import stringWidth from "string-width";
import { tableText } from "../../../src/data/frame/table-text.ts";
import {
  bytes,
  type ColumnType,
  decimal,
  float64,
  int32,
  int64,
  json,
  list,
  struct,
  text,
  timestamp,
} from "../../../src/data/schema/column-type.ts";
import { fc, runs } from "../../random.ts";

function fieldsOf(types: Readonly<Record<string, ColumnType>>) {
  return Object.entries(types).map(([name, type]) => ({ name, type }));
}

test("numbers stand on the right, types under the names, and what is more is counted", () => {
  const fields = fieldsOf({ user: int64(), amount: float64().nullable(), country: text() });
  const rows = [
    { user: 1234567n, amount: 100.5, country: "Österreich" },
    { user: 2n, amount: null, country: "日本" },
    { user: 3n, amount: -0.25, country: "" },
  ];
  assert.equal(
    tableText(fields, rows, { width: 80, more: 1_234_567 }),
    `   user    amount  country
  int64  float64?  text
───────  ────────  ──────────
1234567     100.5  Österreich
      2      NULL  日本
      3     -0.25  ""
… 1,234,567 rows more
`,
  );
  assert.match(tableText(fields, rows, { width: 80, more: 1 }), /\n… 1 row more\n$/);
  assert.match(tableText(fields, rows, { width: 80, more: "some" }), /\n… more rows\n$/);
  assert.match(tableText(fields, [], { width: 80 }), /\nno rows\n$/);
});

test("nothing in a value or a name gives orders to a terminal, and a text is never taken for a null", () => {
  const fields = fieldsOf({ "a\u001b[31mb\n": text().nullable(), c: text() });
  const rows = [
    { "a\u001b[31mb\n": "x\u001b[2Jy\tz\r\n\u202e", c: "NULL" },
    { "a\u001b[31mb\n": null, c: " a " },
  ];
  const shown = tableText(fields, rows, { width: 80 });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u202e]/);
  assert.match(shown, /a\\x1b\[31mb\\n/);
  assert.match(shown, /x\\x1b\[2Jy\\tz\\r\\n\\u202e {2}"NULL"/);
  assert.match(shown, /\nNULL +" a "\n/);
});

test("long texts are cut, and numbers never are", () => {
  const fields = fieldsOf({ note: text(), n: decimal(38, 2), other: text() });
  const number = `${"9".repeat(36)}.99`;
  const shown = tableText(fields, [{ note: "x".repeat(100_000), n: number, other: "y".repeat(50) }], {
    width: 80,
  });
  for (const line of shown.split("\n")) assert.ok(stringWidth(line) <= 80, line);
  assert.ok(shown.includes(number));
  assert.match(shown, /x…/);
  const whole = tableText(fields, [{ note: "x".repeat(500), n: number, other: "" }], { width: null });
  assert.ok(whole.includes("x".repeat(500)));
});

test("columns in the middle make way for their number", () => {
  const fields = Array.from({ length: 200 }, (_, at) => ({
    name: `column${at}`,
    type: int32() as ColumnType,
  }));
  const row = Object.fromEntries(fields.map(({ name }, at) => [name, at]));
  assert.equal(
    tableText(fields, [row], { width: 60 }),
    `column0  column1  … 196 more …  column198  column199
  int32    int32                    int32      int32
───────  ───────  ────────────  ─────────  ─────────
      0        1  …                   198        199
`,
  );
});

test("values with parts are shown in one line", () => {
  const fields = fieldsOf({
    b: bytes(),
    j: json(),
    l: list(int64()),
    s: struct({ x: int64(), y: text().nullable() }),
    t: timestamp(),
  });
  const row = {
    b: new Uint8Array(1024),
    j: { a: [1, "two"] },
    l: [1n, 2n],
    s: { x: 1n, y: null },
    t: "2026-01-31T10:00:00.123456",
  };
  const shown = tableText(fields, [row], { width: null });
  for (const part of [
    "0x00000000000000000000000000000000… (1,024 bytes)",
    '{"a":[1,"two"]}',
    "[1, 2]",
    '{"x": 1, "y": null}',
    "2026-01-31T10:00:00.123456",
  ])
    assert.ok(shown.includes(part), shown);
});

test("a column may have any name", () => {
  const fields = ["__proto__", "constructor", "", "a\0b"].map((name) => ({
    name,
    type: text() as ColumnType,
  }));
  const row = Object.fromEntries(fields.map(({ name }, at) => [name, `v${at}`]));
  const shown = tableText(fields, [row], { width: 80 });
  assert.match(shown, /^__proto__ {2}constructor {2}"" +a\\0b\n/);
  assert.match(shown, /v0 +v1 +v2 +v3\n/);
});

test("no line is wider than the terminal, whatever there is to show", () => {
  const name = fc.string({ unit: "grapheme", maxLength: 60 });
  const table = fc.record({
    names: fc.uniqueArray(name, { maxLength: 30 }),
    width: fc.integer({ min: 20, max: 200 }),
    value: fc.string({ unit: "grapheme", maxLength: 200 }),
    rows: fc.nat(3),
  });
  fc.assert(
    fc.property(table, ({ names, width, value, rows }) => {
      const fields = names.map((each) => ({ name: each, type: text() as ColumnType }));
      const row = Object.fromEntries(names.map((each) => [each, value]));
      const shown = tableText(
        fields,
        Array.from({ length: rows }, () => row),
        { width },
      );
      const lines = shown.split("\n").slice(0, -1);
      for (const line of lines) assert.ok(stringWidth(line) <= width, `${width}: ${line}`);
      assert.equal(lines.length, 3 + (rows === 0 ? 1 : rows));
    }),
    { numRuns: runs(200) },
  );
});
