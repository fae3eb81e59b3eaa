import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOptions } from "../../../src/cli/load/csv-options.ts";
import { csv } from "../../../src/connect/csv/index.ts";

test("each flag of reading becomes the option of the same meaning, and none is invented", () => {
  assert.deepEqual(csvOptions({ header: true }), {});
  const said = { header: true, quote: '"', null: [""], decimal: ".", skipLines: "0", encoding: "UTF8" };
  assert.deepEqual(csvOptions(said), {});
  const options = csvOptions({
    header: false,
    delimiter: "\\t",
    quote: "none",
    escape: "\\",
    null: ["", "NA"],
    nullFor: ["paid=never", "paid=a=b", "__proto__=x"],
    trim: true,
    dateOrder: "dmy",
    decimal: ",",
    thousands: ".",
    skipLines: "2",
    comment: "#",
    fillMissing: true,
    ignoreExtra: true,
    fileColumn: "file",
    lineColumn: "line",
    encoding: "latin1",
    columns: "a, b",
    maxRecord: "1MB",
  });
  assert.deepEqual(options, {
    header: false,
    delimiter: "\t",
    quote: null,
    escape: "\\",
    nullValues: ["", "NA"],
    nullValuesFor: Object.fromEntries([
      ["paid", ["a=b", "never"]],
      ["__proto__", ["x"]],
    ]),
    trim: true,
    dateOrder: "dmy",
    thousands: ".",
    skipLines: 2,
    comment: "#",
    fillMissing: true,
    ignoreExtra: true,
    fileColumn: "file",
    lineColumn: "line",
    encoding: "windows-1252",
    columns: ["a", "b"],
  });
  csv("x.csv", options);
  assert.deepEqual(csvOptions({ header: true, null: ["NA"], looseQuotes: true }), {
    nullValues: "NA",
    looseQuotes: true,
  });
  assert.throws(() => csvOptions({ header: true, nullFor: ["=x"] }), { code: "usage.pair" });
});
