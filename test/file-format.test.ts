import assert from "node:assert/strict";
import { test } from "node:test";
import { fileFormat, knownFormat } from "../src/file-format.ts";

test("the format of a file is told by its name, whatever stands before it", () => {
  const told = (location: string) => {
    const found = fileFormat(location);
    return found === null ? null : [found.format, found.compression, found.delimiter];
  };
  assert.deepEqual(told("data/tx_*.csv"), ["csv", "none", ","]);
  assert.deepEqual(told("A.TSV.GZ"), ["csv", "gzip", "\t"]);
  assert.deepEqual(told("s3://bucket/year=2024/**/*.parquet"), ["parquet", "none", null]);
  assert.deepEqual(told("logs.ndjson.zst"), ["jsonl", "zstd", null]);
  assert.deepEqual(told("https://example.com/a.csv?token=x.parquet#y"), ["csv", "none", ","]);
  assert.deepEqual(told("tx_*.csv*"), ["csv", "none", ","]);
  assert.deepEqual(told("book.xlsx"), ["excel", "none", null]);
  for (const unknown of ["customers", "a.parquet.gz", "dir.csv/file", "constructor", "a.", ""])
    assert.equal(told(unknown), null, unknown);
});

test("a name that says nothing is refused in one sentence", () => {
  assert.throws(
    () => knownFormat("customers.txt"),
    /"customers.txt" does not say what the file holds: it must end in/,
  );
});
