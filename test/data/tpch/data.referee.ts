import assert from "node:assert/strict";
import { test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { skipWithout } from "../../missing.ts";
import { differenceOf, parseAnswer } from "./answers.ts";
import { tpchData, whyNoTpch } from "./data.ts";

test("the data of TPC-H have the known answers in the engine's own SQL", {
  skip: skipWithout("tpch", whyNoTpch()),
}, async () => {
  const data = await tpchData();
  assert.equal(data.questions.length, 22);
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "1GB" });
  const connection = await instance.connect();
  try {
    for (const table of data.tables)
      await connection.run(`CREATE VIEW ${table} AS FROM read_parquet('${data.file(table)}')`);
    for (const { number, sql, answer } of data.questions) {
      const known = parseAnswer(answer);
      const result = await connection.runAndReadAll(sql);
      const rows = result.getRowsJson();
      assert.equal(differenceOf(known, { columns: known.columns, rows }), null, `question ${number}`);
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});
