import assert from "node:assert/strict";
import { test } from "node:test";
import { type DecodedRow, PlainRowDecoder } from "../../../../src/connect/csv/rows/plain-row-decoder.ts";

test("a record is parsed by PostgreSQL's rules", () => {
  const dialect = { delimiter: ",", quote: '"', nullValue: "" };
  const decoder = new PlainRowDecoder(dialect, ["a", "b", "c", "d", "e", "f"], "\n");
  const rows: DecodedRow[] = [];
  decoder.decode(Buffer.from('1,,"",a"b,"c,"d ""e""","\r\n"\r\n'));
  decoder.fill(rows, 10);
  assert.deepEqual(rows, [{ a: "1", b: null, c: "", d: "ab,c", e: 'd "e"', f: "\r\n" }]);
});
