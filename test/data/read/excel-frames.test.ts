import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { bool, bytes, date, decimal, int32, readExcel, text, timestamp } from "../../../src/data/index.ts";
import { filesFrame, queryFrame } from "../../../src/data/query/query.ts";
import { environmentOf } from "../../connect/objects/s3/access.ts";
import { S3Stub } from "../../connect/objects/s3/stub/server.ts";
import { environment, temporaryFolder } from "./scene.ts";
import { inline, workbook } from "./workbook-file.ts";

const folder = temporaryFolder();
environment({ PAWL_PAUSE_MS: "1" });

function saved(name: string, rows: string): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    workbook({
      sheets: { Notes: "", Pay: rows },
      styles: '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>',
    }),
  );
  return path;
}

const header = `<row>${["name", "pay", "from", "ok"].map((name) => inline(name)).join("")}</row>`;
const row = (number: number, name: string, pay: string, more = "") =>
  `<row r="${number}"><c r="A${number}" t="inlineStr"><is><t>${name}</t></is></c>${pay === "" ? "" : `<c r="B${number}"><v>${pay}</v></c>`}${more}</row>`;
const SCHEMA = { name: text(), pay: decimal(8, 2).nullable() };

describe("a frame over sheets", () => {
  test("has their rows with their types, from here and from buckets", async () => {
    const first = saved(
      "pay-1.xlsx",
      `${header}${row(2, "Ada", "0.30000000000000004", '<c r="C2" s="1"><v>45322</v></c><c r="D2" t="b"><v>1</v></c>')}${row(5, "a &quot;b&quot;, \nc", "")}`,
    );
    const frame = readExcel(
      join(folder, "pay-*.xlsx"),
      { ...SCHEMA, from: date().nullable(), ok: bool().nullable() },
      { sheet: "pay" },
    );
    assert.deepEqual(await frame.collect(), [
      { name: "Ada", pay: "0.30", from: "2024-01-31", ok: true },
      { name: 'a "b", \nc', pay: null, from: null, ok: null },
    ]);
    await using s3 = await S3Stub.start();
    Object.assign(process.env, environmentOf(s3.access));
    const { readFileSync } = await import("node:fs");
    s3.fill("shop", ["x/1.xlsx", "x/2.xlsm"], readFileSync(first));
    assert.equal(await readExcel("s3://shop/x/", { name: text() }, { sheet: 2 }).count(), 4);
  });

  test("tells the cell that does not fit, the column that is not there, and the sheet", async () => {
    const path = saved(
      "bad.xlsx",
      `${header}${row(2, "Ada", "1")}${row(3, "Bob", "", '<c r="B3" t="e"><v>#DIV/0!</v></c>')}`,
    );
    const read = (schema: Parameters<typeof readExcel>[1], sheet: string | number = 2) =>
      readExcel(path, schema, { sheet }).collect();
    await assert.rejects(
      read(SCHEMA),
      /bad\.xlsx, sheet "Pay", cell B3 \("pay"\) holds #DIV\/0!, which decimal\(8, 2\) does not: correct the cell, or declare text\(\)\.$/,
    );
    await assert.rejects(
      read({ from: date() }),
      /sheet "Pay", cell C2 \("from"\) is empty: fill it, or declare the column as nullable\(\)\.$/,
    );
    await assert.rejects(
      read({ nmae: text() }),
      /The sheet "Pay" of .*bad\.xlsx has no column "nmae": did you mean name\?/,
    );
    await assert.rejects(read(SCHEMA, "Pays"), /has no sheet "Pays": did you mean Pay\?/);
    await assert.rejects(read(SCHEMA, 1), /The sheet "Notes" of .*bad\.xlsx holds nothing/);
    assert.throws(
      () => readExcel(path, { raw: bytes() }),
      /The column "raw" is bytes\(\), which no cell of a sheet holds: declare text\(\)\./,
    );
    assert.throws(
      () => readExcel(path, { a: text() }, { sheet: 0 }),
      /`sheet` is the name of a sheet or its number from 1, not 0/,
    );
  });

  test("is a table of a query, and of the rows that the terminal shows", async () => {
    const path = saved(
      "query.xlsx",
      `${header}${row(2, "Ada", "5")}${row(3, "Bob", "7")}${row(4, "Ada", "1")}`,
    );
    const rows = await (
      await queryFrame(`select name, sum(pay) as pay from '${path}' group by name order by name`, {}, "Pay")
    ).collect();
    assert.deepEqual(
      rows.map((each) => [each.name, Number(each.pay)]),
      [
        ["Ada", 6],
        ["Bob", 7],
      ],
    );
    assert.deepEqual(
      (await filesFrame(path, {}, 2)).fields.map(({ name }) => name),
      ["name", "pay", "from", "ok"],
    );
  });

  test("of many rows is read in memory that does not grow with them", async () => {
    const many = Array.from({ length: 60_000 }, (_, n) => row(n + 2, `user ${n % 100}`, String(n / 4))).join(
      "",
    );
    const path = saved("many.xlsx", header + many);
    const frame = readExcel(path, { name: text(), pay: decimal(12, 2) }, { sheet: "Pay" });
    const top = await frame
      .groupBy("name")
      .agg((c) => ({ total: c.pay.sum(), n: c.pay.count() }))
      .sort("name")
      .collect();
    assert.equal(top.length, 100);
    assert.deepEqual([top[0]?.name, top[0]?.total, Number(top[0]?.n)], ["user 0", "4492500.00", 600]);
    void [int32, timestamp];
  });
});
