import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { EngineSession } from "../../src/data/engine/contract.ts";
import { duckdb } from "../../src/data/engine/duckdb/duckdb.ts";
import type { ExpressionNode } from "../../src/data/expr/node.ts";
import { readersOf } from "../../src/data/frame/rows.ts";
import type { PlanNode } from "../../src/data/plan/node.ts";
import { fc, runs } from "../random.ts";
import { EvaluationError } from "./evaluator/cells.ts";
import { evaluatePlan, type Table } from "./evaluator/plans.ts";
import { randomCall } from "./random/calls.ts";
import { differenceOf, jsRows } from "./random/compare.ts";
import { columnNode, INEXACT, isInexact } from "./random/expressions.ts";
import { randomPlan } from "./random/plans.ts";
import { randomTable } from "./random/tables.ts";
import { Tape } from "./random/tape.ts";

const spillFolder = mkdtempSync(join(tmpdir(), "pawl-random-plans-"));
let session: EngineSession;
before(async () => {
  session = await duckdb.open({ memory: 256e6, spillFolder, spillLimit: null, threads: 1 });
});
after(async () => {
  await session.close();
  rmSync(spillFolder, { recursive: true });
});

const tape = (length: number) => fc.array(fc.nat({ max: 1000 }), { minLength: length, maxLength: length });
const table = fc.record({
  columns: fc.array(tape(20), { minLength: 1, maxLength: 5 }),
  rows: fc.nat({ max: 8 }),
  first: fc.nat({ max: 9 }),
});
const plans = fc
  .record({
    tables: fc.array(table, { minLength: 1, maxLength: 2 }),
    steps: fc.array(tape(16), { maxLength: 5 }),
  })
  .map(({ tables, steps }) => randomPlan(tables, steps));

test("an engine comes to the rows that a plan means, for plans and tables at random", async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const expected = evaluated(plan);
      const found = await engineRows(plan);
      // An engine need not work out what the result does not need, so that it may succeed where the evaluator finds an error.
      if (expected instanceof EvaluationError) return;
      if (found instanceof Error) {
        if (isEarlyOverflow(found)) return;
        assert.fail(`${found.message}\n${described(plan)}`);
      }
      const difference = differenceOf(plan.fields, jsRows(expected), found, plan.kind === "sort");
      if (difference !== null) assert.fail(`${difference}\n${described(plan)}`);
    }),
    { numRuns: runs(150) },
  );
});

const expressions = fc.record({ table, choices: tape(20) }).map(({ table: choices, choices: steps }) => {
  const input = randomTable(choices);
  const columns = input.fields.map((field) => columnNode(field));
  const made = randomCall(new Tape(steps), columns) ?? (columns[0] as ExpressionNode);
  const name = isInexact(made) ? `${INEXACT}x` : "x";
  const plan: PlanNode = {
    kind: "project",
    input,
    columns: [{ name, expression: made }],
    fields: [{ name, type: made.type }],
  };
  return plan;
});

test("an engine works out every function as it is meant, and fails exactly where it must", async () => {
  await fc.assert(
    fc.asyncProperty(expressions, async (plan) => {
      const expected = evaluated(plan);
      const found = await engineRows(plan);
      if (expected instanceof EvaluationError) {
        if (!(found instanceof Error))
          assert.fail(`${expected.message}: no error, but ${found}\n${described(plan)}`);
        return;
      }
      if (found instanceof Error) {
        if (isEarlyOverflow(found)) return;
        assert.fail(`${found.message}\n${described(plan)}`);
      }
      const difference = differenceOf(plan.fields, jsRows(expected), found, false);
      if (difference !== null) assert.fail(`${difference}\n${described(plan)}`);
    }),
    { numRuns: runs(300) },
  );
});

/** DuckDB multiplies decimals of up to 18 digits within 18 digits: a larger product is an error there, and never another value. */
function isEarlyOverflow({ message }: Error): boolean {
  return message.includes("Overflow in multiplication of DECIMAL(18)");
}

function evaluated(plan: PlanNode): Table | EvaluationError {
  try {
    return evaluatePlan(plan);
  } catch (error) {
    if (error instanceof EvaluationError) return error;
    throw error;
  }
}

async function engineRows(plan: PlanNode): Promise<readonly (readonly unknown[])[] | Error> {
  const rows: unknown[][] = [];
  try {
    for await (const batch of session.batches(plan)) {
      const readers = readersOf(batch, plan.fields);
      for (let row = 0; row < batch.rows; row++) rows.push(readers.map((read) => read(row)));
    }
    return rows;
  } catch (error) {
    return error as Error;
  }
}

function described(plan: PlanNode): string {
  return `${session.sql(plan)}`;
}
