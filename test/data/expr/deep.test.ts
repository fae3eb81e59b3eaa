import assert from "node:assert/strict";
import { test } from "node:test";
import { duckdb } from "../../../src/data/engine/duckdb/duckdb.ts";
import { expressionSql } from "../../../src/data/engine/duckdb/expression-sql.ts";
import { type BuiltExpression, call } from "../../../src/data/expr/expression.ts";
import { columnsOf, hasWindow, isAggregate } from "../../../src/data/expr/node.ts";
import { fromRows, int32, text } from "../../../src/data/index.ts";
import { chained, wide, wideGroups } from "./large-programs.ts";

/** A column as expressions have it at run time. */
function column(): BuiltExpression {
  let found: unknown;
  fromRows({ x: int32() }, []).with((c) => {
    found = c.x;
    return {};
  });
  return found as BuiltExpression;
}

test("a chain of 10,000 conditions is written as one flat row of them", () => {
  let any = column().eq(-1);
  for (let index = 0; index < 10_000; index++) any = call("or", [any, column().eq(index)]);
  const sql = expressionSql(any.node);
  assert.equal(sql.split(" OR ").length, 10_001);
  assert.ok(!sql.includes("((((("));
});

test("a chain of 1,500 conditions runs", async () => {
  const frame = fromRows({ x: int32() }, [{ x: 3 }, { x: 2998 }, { x: 3001 }]);
  const found = frame.filter((c) => {
    let any = c.x.eq(-1);
    for (let index = 0; index < 1500; index++) any = any.or(c.x.eq(index * 2));
    return any;
  });
  assert.deepEqual(await found.collect({ engine: duckdb }), [{ x: 2998 }]);
});

test("a chain of 10,000 calls neither overflows the stack nor takes minutes: it is refused in one sentence", () => {
  let deep = column();
  for (let index = 0; index < 10_000; index++) deep = deep.add(1);
  assert.equal(isAggregate(deep.node), false);
  assert.equal(hasWindow(deep.node), false);
  assert.deepEqual([...columnsOf(deep.node)], ["x"]);
  assert.throws(() => expressionSql(deep.node), /more than 250 calls deep/);
});

test("an expression that doubles itself sixty times is refused, and not written out", () => {
  let doubled = column();
  for (let index = 0; index < 60; index++) doubled = doubled.add(doubled);
  assert.equal(isAggregate(doubled.node), false);
  assert.throws(() => expressionSql(doubled.node), /longer than 64 MB/);
});

test("calls that need an argument twice do not double the text at each level", () => {
  let nested = column();
  for (let index = 0; index < 40; index++) nested = (nested as unknown as { sqrt(): BuiltExpression }).sqrt();
  assert.ok(expressionSql(nested.node).length < 20_000);
});

test("a map of 2,000 values and a list of 10,000 run", async () => {
  const names = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`k${index}`, `v${index}`]));
  const found = await fromRows({ t: text() }, [{ t: "k1999" }, { t: "none" }])
    .with((c) => ({
      v: c.t.map(names, "?"),
      in: c.t.in(Array.from({ length: 10_000 }, (_, index) => `k${index}`)),
    }))
    .collect({ engine: duckdb });
  assert.deepEqual(found, [
    { t: "k1999", v: "v1999", in: true },
    { t: "none", v: "?", in: false },
  ]);
});

test("90 chained verbs and 300 columns have the types that the compiler knows", () => {
  const last = (row: NonNullable<Awaited<ReturnType<typeof chained.first>>>): number | null => row.x89;
  assert.equal(last({ x89: 5 } as never), 5);
  assert.equal(chained.fields.length, 93);
  assert.equal(wide.fields.length, 300);
  assert.deepEqual(
    wideGroups.fields.map(({ name, type }) => `${name} ${type.kind}`),
    ["c2 text", "z text", "n int64", "sum int64", "mean float64", "most int64"],
  );
});
