import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, differenceOf } from "../tpch/answers.ts";
import { DbBenchmark } from "./data.ts";
import { questionsOf } from "./questions.ts";

test("the questions of db-benchmark have the answers of the engine's own SQL", async (t) => {
  await using data = await DbBenchmark.make(300_000);
  for (const { name, sql, frame } of questionsOf(data))
    await t.test(name, async () => {
      const known = await data.rows(sql);
      const rows = await frame.collect({ memory: "1500MB" });
      assert.equal(differenceOf(known, answerOf(known, rows as Record<string, unknown>[])), null);
    });
});
