import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOptions } from "../../src/cli/csv-flags.ts";
import { csv } from "../../src/connect/csv/index.ts";

test("each flag of reading becomes the option of the same meaning, and none is invented", () => {
  assert.deepEqual(csvOptions({ header: true }), {});
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
    nullText: ["", "NA"],
    nullFor: Object.fromEntries([
      ["paid", ["never", "a=b"]],
      ["__proto__", ["x"]],
    ]),
    trim: true,
    dateOrder: "dmy",
    decimal: ",",
    thousands: ".",
    skipLines: 2,
    comment: "#",
    fillMissing: true,
    ignoreExtra: true,
    fileColumn: "file",
    lineColumn: "line",
    encoding: "latin1",
    columns: ["a", "b"],
    maxRecordBytes: 1024 * 1024,
  });
  csv("x.csv", options);
  // A run with one null text stays the same work as before there could be several.
  assert.deepEqual(csvOptions({ header: true, null: ["NA"], looseQuotes: true }), {
    nullText: "NA",
    looseQuotes: true,
  });
  assert.throws(() => csvOptions({ header: true, nullFor: ["=x"] }), { code: "usage.pair" });
});
