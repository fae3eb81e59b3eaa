import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  type CellValue,
  columnLetters,
  columnOf,
  formatOf,
  momentOf,
} from "../../../src/data/read/excel/cell.ts";
import { cellText } from "../../../src/data/read/excel/cell-text.ts";
import { describeExcel, sheetNames } from "../../../src/data/read/excel/read-excel.ts";
import { Workbook } from "../../../src/data/read/excel/workbook.ts";
import * as type from "../../../src/data/schema/column-type.ts";
import { typeText } from "../../../src/data/schema/column-type.ts";
import { type Packed, zipFile } from "../../connect/csv/open/zip-file.ts";
import { fc, runs } from "../../random.ts";
import { temporaryFolder } from "./scene.ts";
import { inline, type WorkbookParts, workbook as workbookFile } from "./workbook-file.ts";

const folder = temporaryFolder();
let files = 0;

const workbook = (parts: WorkbookParts): string => saved(workbookFile(parts));

function saved(bytes: Buffer | string): string {
  const path = join(folder, `${files++}.xlsx`);
  writeFileSync(path, bytes);
  return path;
}

async function rowsOf(path: string, sheet: string | number = 1, memory = 1_000_000) {
  await using opened = await Workbook.open(path, "w.xlsx", memory);
  const rows = [];
  for await (const some of opened.rows(opened.sheetName(sheet), new AbortController().signal))
    rows.push(...some);
  return rows.map(({ number, cells }) => [
    number,
    ...cells.map(({ column, value }) => [columnLetters(column), value.value]),
  ]);
}

describe("a sheet", () => {
  test("is read as all the programs write it that follow the standard", async () => {
    const path = workbook({
      sheets: {
        One: `<row r="2"><c r="B2" t="s"><v>0</v></c><c r="D2" t="s"><v>1</v></c></row><row r="3"/>
          <row><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="str"><f>A1&amp;"x"</f><v>a &lt; b</v></c><c><v>1.5E3</v></c><c s="9"/></row>
          <row r="7" spans="1:3">${inline("a_x000D_b_x005F_x000D_")}<c r="C7" t="d"><v>2024-01-31T10:00:00</v></c></row>`,
        Two: "",
      },
      strings: `<si><t>plain</t></si><si><r><rPr><b/></rPr><t>rich </t></r><r><t xml:space="preserve">text </t></r><rPh sb="0" eb="1"><t>KANA</t></rPh></si>`,
    });
    assert.deepEqual(await rowsOf(path), [
      [2, ["B", "plain"], ["D", "rich text "]],
      [4, ["A", true], ["B", "#N/A"], ["C", "a < b"], ["D", 1500]],
      [7, ["A", "a\rb_x000D_"], ["C", "2024-01-31T10:00:00"]],
    ]);
    const prefixed = `<x:worksheet xmlns:x="urn:x"><x:sheetData><x:row><x:c><x:v>5</x:v></x:c></x:row></x:sheetData></x:worksheet>`;
    const other = workbook({
      sheets: { A: "" },
      more: [{ name: "xl/worksheets/sheet0.xml", text: prefixed }],
    });
    assert.deepEqual(await rowsOf(other), [[1, ["A", 5]]]);
  });

  test("is named, or counted from 1, and a name that is near is said", async () => {
    const path = workbook({
      sheets: { Sales: "<row><c><v>1</v></c></row>", "Q&amp;A": "<row><c><v>2</v></c></row>" },
    });
    assert.deepEqual(await sheetNames(path), ["Sales", "Q&A"]);
    assert.deepEqual(await rowsOf(path, "q&a"), [[1, ["A", 2]]]);
    assert.deepEqual(await rowsOf(path, 2), [[1, ["A", 2]]]);
    assert.deepEqual(await rowsOf(path, "2"), [[1, ["A", 2]]]);
    await assert.rejects(rowsOf(path, "Sale"), /w\.xlsx has no sheet "Sale": did you mean Sales\?$/);
    await assert.rejects(rowsOf(path, 3), /w\.xlsx has no sheet 3: it has Sales, Q&A\.$/);
  });

  test("tells the types of its columns by all of their cells", async () => {
    const styles = `<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy hh:mm"/></numFmts><cellStyleXfs><xf numFmtId="22"/></cellStyleXfs>
      <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="21"/></cellXfs>`;
    const header = ["n", "x", "day", "at", "time", "ok", "mix", "n"].map((name) => inline(name)).join("");
    const path = workbook({
      styles,
      sheets: {
        S: `<row>${inline("A title")}</row><row>${header}<c/><c t="b"><v>1</v></c></row>
          <row><c><v>1</v></c><c><v>1</v></c><c s="1"><v>45322</v></c><c s="1"><v>45322</v></c><c s="3"><v>0.4375</v></c><c t="b"><v>1</v></c><c><v>1</v></c><c><v>2</v></c></row>
          <row><c><v>2</v></c><c><v>0.5</v></c><c s="1"><v>60.99999</v></c><c s="2"><v>45322.5</v></c><c s="3"><v>0.5</v></c><c t="b"><v>0</v></c>${inline("b")}</row>`,
      },
    });
    const fields = await describeExcel(path, { skip: 1 });
    assert.deepEqual(
      fields.map((field) => `${field.name}: ${typeText(field.type)}`),
      [
        "n: int64()",
        "x: float64()",
        "day: timestamp()",
        "at: timestamp()",
        "time: time()",
        "ok: bool()",
        "mix: text()",
        "n_2: int64().nullable()",
        "true: text().nullable()",
      ],
    );
    const letters = await describeExcel(path, { header: false });
    assert.deepEqual(
      letters.map(({ name }) => name),
      ["A", "B", "C", "D", "E", "F", "G", "H", "J"],
    );
    await assert.rejects(describeExcel(path, { skip: 9 }), /The sheet "S" of .* holds nothing after row 9/);
    await assert.rejects(
      describeExcel(path, { sheets: 1 } as never),
      /There is no option "sheets" of describeExcel\(\): did you mean sheet\?/,
    );
  });
});

describe("a cell", () => {
  test("that shows a day is told from a number by its format", () => {
    const formats: Record<string, string> = {
      "0.00": "number",
      General: "number",
      "#,##0.00 [$€-407]": "number",
      '0 "days"': "number",
      "[h]:mm:ss": "number",
      "\\d0": "number",
      "yyyy-mm-dd": "date",
      "mmm-yy": "date",
      "[$-409]d-mmm-yy;@": "date",
      mmmm: "date",
      "[Red]dd.mm.yy": "date",
      "hh:mm": "time",
      "mm:ss.0": "time",
      "h:mm AM/PM": "time",
      "m/d/yy h:mm": "moment",
      "yyyy-mm-dd\\Thh:mm:ss": "moment",
    };
    for (const [code, shown] of Object.entries(formats)) assert.equal(formatOf(164, code), shown, code);
    assert.deepEqual(
      [formatOf(14, undefined), formatOf(21, undefined), formatOf(22, undefined), formatOf(2, undefined)],
      ["date", "time", "moment", "number"],
    );
  });

  test("has the day that Excel shows, in both of its calendars", () => {
    const days: readonly (readonly [number, string | null])[] = [
      [1, "1900-01-01T00:00:00"],
      [59, "1900-02-28T00:00:00"],
      [60, null],
      [61, "1900-03-01T00:00:00"],
      [45322.41666809028, "2024-01-31T10:00:00.123"],
      [2958465.5, "9999-12-31T12:00:00"],
      [2958466, null],
      [-1, null],
      [Number.NaN, null],
    ];
    for (const [serial, iso] of days) assert.equal(momentOf(serial, false), iso, String(serial));
    assert.equal(momentOf(0, true), "1904-01-01T00:00:00");
    assert.equal(momentOf(43860, true), "2024-01-31T00:00:00");
  });

  test("fits a declared type or does not, and is never bent", () => {
    const number = (value: number, shown: "number" | "date" | "time" | "moment" = "number"): CellValue => ({
      kind: "number",
      value,
      shown,
    });
    const text = (value: string): CellValue => ({ kind: "text", value });
    const cases: readonly (readonly [CellValue, type.ColumnType, string | null])[] = [
      [number(0.1 + 0.2), type.decimal(5, 2), "0.3"],
      [number(0.1 + 0.2), type.text(), "0.3"],
      [number(1.005), type.decimal(5, 2), null],
      [number(1e21), type.decimal(38, 0), "1000000000000000000000"],
      [number(1e21), type.int64(), null],
      [number(128), type.int8(), null],
      [number(-128), type.int8(), "-128"],
      [number(1.5), type.int32(), null],
      [number(12.000000000000002), type.int32(), "12"],
      [text(" 00042 "), type.int32(), "42"],
      [text("1e3"), type.int32(), "1000"],
      [text("0x10"), type.int32(), null],
      [text("12abc"), type.float64(), null],
      [text(""), type.int32(), null],
      [number(1), type.bool(), "true"],
      [number(2), type.bool(), null],
      [text("True"), type.bool(), "true"],
      [number(45322, "date"), type.date(), "2024-01-31"],
      [number(45322.5, "date"), type.date(), null],
      [number(45322, "date"), type.int32(), null],
      [number(45322), type.date(), null],
      [number(45322.5, "moment"), type.timestamp(), "2024-01-31T12:00:00"],
      [number(45322.5, "moment"), type.timestamptz(), null],
      [text("2024-01-31T10:00:00Z"), type.timestamptz(), "2024-01-31T10:00:00Z"],
      [text("31.01.2024"), type.date(), null],
      [number(0.4375, "time"), type.time(), "10:30:00"],
      [number(0.99999999999, "time"), type.time(), "00:00:00"],
      [number(45322, "date"), type.text(), "2024-01-31"],
      [{ kind: "bool", value: true }, type.text(), "true"],
      [{ kind: "error", value: "#N/A" }, type.text(), null],
      [{ kind: "iso", value: "2024-01-31T00:00:00" }, type.date(), "2024-01-31"],
    ];
    for (const [value, declared, expected] of cases)
      assert.equal(
        cellText(value, declared, false),
        expected,
        `${JSON.stringify(value)} as ${typeText(declared)}`,
      );
  });

  test("has a place that its letters name", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 16_383 }),
        fc.integer({ min: 1, max: 1_048_576 }),
        (column, row) => {
          assert.equal(columnOf(`${columnLetters(column)}${row}`), column);
        },
      ),
      { numRuns: runs(100) },
    );
    assert.deepEqual(
      [columnLetters(0), columnLetters(26), columnLetters(16_383), columnOf("12"), columnOf("ABCD1")],
      ["A", "AA", "XFD", -1, -1],
    );
  });
});

describe("a workbook that is not what it says", () => {
  const sheet = (text: string, more: Partial<Packed> = {}) =>
    workbook({ sheets: { S: "" }, more: [{ name: "xl/worksheets/sheet0.xml", text, ...more }] });
  const data = (rows: string) => `<worksheet><sheetData>${rows}</sheetData></worksheet>`;

  test("is refused with one sentence, whatever is wrong", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [saved("id,amount\n1,2\n"), /it does not begin as an \.xlsx does/],
      [
        saved(Buffer.from("d0cf11e0a1b11ae1", "hex")),
        /before 2007 \(\.xls\) or one that a password protects: save it as \.xlsx/,
      ],
      [saved(""), /it does not begin/],
      [saved(zipFile([{ name: "a.csv", text: "x" }])), /is a zip archive and not an Excel workbook/],
      [saved(zipFile([{ name: "xl/workbook.bin", text: "x" }])), /is a binary workbook \(\.xlsb\)/],
      [
        saved(zipFile([{ name: "xl/workbook.xml", text: "<workbook/>" }]).subarray(0, -30)),
        /cut off, damaged/,
      ],
      [sheet(data('<row r="5"/><row r="5"/>')), /row "5" comes after row 5/],
      [sheet(data('<row r="2000000"/>')), /row "2000000" comes after/],
      [
        sheet(data('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>')),
        /the cell "A1" comes after B1/,
      ],
      [sheet(data('<row><c r="XFE1"><v>1</v></c></row>')), /the cell "XFE1" comes after/],
      [sheet(data('<row><c t="s"><v>7</v></c></row>')), /A1 names a text that the workbook does not have/],
      [sheet(data("<row><c><v>1,5</v></c></row>")), /A1 holds "1,5" as a number/],
      [sheet("<worksheet><sheetData><row><c><v>1</v>"), /unclosed tag/],
      [sheet(data("<row></c></row>")), /unmatched|mismatch|unexpected close/i],
      [sheet(data("<row/>"), { crc: 5 }), /its checksum is another one/],
      [sheet(data("<row/>"), { size: 3 }), /too many bytes|size/i],
      [sheet(data("<row/>"), { encrypted: true }), /is encrypted: save it without a password/],
      [sheet("<worksheet>\ud800</worksheet>".replace("\ud800", "\u0001")), /disallowed character/],
      [
        sheet(`<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><w>&b;</w>`),
        /it has a document type, which no workbook has/,
      ],
      [
        workbook({ sheets: { S: "" }, more: [{ name: "xl/sharedStrings.xml", text: "<sst><si>" }] }),
        /sharedStrings/,
      ],
    ];
    for (const [path, why] of cases) {
      const error = await rowsOf(path).then(
        (rows) => new Error(`read: ${JSON.stringify(rows)}`),
        (each: Error) => each,
      );
      assert.match(error.message, why);
      assert.match(error.message, /^w\.xlsx .*\.$/s, error.message);
    }
  });

  test("cannot take more memory than is allowed, or make much of little", async () => {
    const strings = Array.from(
      { length: 2000 },
      (_, n) => `<si><t>${String(n).padEnd(500, "x")}</t></si>`,
    ).join("");
    await assert.rejects(
      rowsOf(workbook({ sheets: { S: "" }, strings }), 1, 500_000),
      /The texts of w\.xlsx take more than the 488 KB that they may: allow more with `memory`/,
    );
    const endless = `<row>${inline("x".repeat(6_000_000))}</row>`;
    await assert.rejects(rowsOf(sheet(data(endless))), /a text in it has more than 4194304 characters/);
    const bomb = sheet(data("<row/>".repeat(20_000_000)));
    await assert.rejects(rowsOf(bomb), /would become \d+, as of no sheet/);
  });
});
