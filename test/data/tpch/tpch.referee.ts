import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { skipWithout } from "../../missing.ts";
import { answerOf, differenceOf, parseAnswer } from "./answers.ts";
import { tpchData, whyNoTpch } from "./data.ts";
import { questions } from "./questions/index.ts";
import { tablesOf } from "./tables.ts";

const why = skipWithout("tpch", whyNoTpch());

describe("TPC-H at scale factor 1 has the known answers as frames", { skip: why }, async () => {
  for (const [index, question] of questions.entries())
    test(`question ${index + 1}`, async () => {
      const data = await tpchData();
      const known = parseAnswer(data.questions[index]?.answer ?? "");
      const rows = await question(tablesOf(data)).collect({ memory: "1GB" });
      assert.equal(differenceOf(known, answerOf(known, rows as Record<string, unknown>[])), null);
    });
});
