import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition, Expression, ExpressionOf, Form } from "../../../src/data/expr/expression.ts";
import {
  bool,
  type ColumnType,
  coalesce,
  count,
  date,
  decimal,
  float32,
  float64,
  fromRows,
  greatest,
  int32,
  int64,
  json,
  least,
  list,
  lit,
  rowNumber,
  sql,
  struct,
  text,
  timestamp,
  timestamptz,
  uint64,
  when,
} from "../../../src/data/index.ts";
import { typeText } from "../../../src/data/schema/column-type.ts";

const schema = {
  i: int32(),
  in: int32().nullable(),
  l: int64(),
  u: uint64(),
  f: float64(),
  fn: float64().nullable(),
  s: float32(),
  d: decimal(15, 2),
  dn: decimal(5, 1).nullable(),
  t: text(),
  tn: text().nullable(),
  b: bool(),
  bn: bool().nullable(),
  day: date(),
  ts: timestamp(),
  tz: timestamptz(),
  li: list(int32()),
  ln: list(text().nullable()).nullable(),
  st: struct({ city: text(), zip: int32().nullable() }),
  sn: struct({ city: text() }).nullable(),
  j: json(),
};

/** The kind, values and nulls that the compiler knows of an expression, as one literal type. */
type Known<E> =
  E extends Expression<infer T, Form>
    ? T extends ColumnType<infer K, infer V, infer N>
      ? [K, V, N]
      : never
    : never;

/** Does not compile unless both types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

/** Compares what the compiler knows of an expression with what its node says. */
function typed<K extends string, V, N extends boolean>() {
  return <E extends Expression>(expression: E, same: Same<Known<E>, [K, V, N]>, text: string) => {
    assert.ok(same);
    assert.equal(typeText(expression.node.type), text);
  };
}

const int32s = typed<"int32", number, false>();
const int32n = typed<"int32", number, true>();
const int64s = typed<"int64", bigint, false>();
const int64n = typed<"int64", bigint, true>();
const counts = typed<"int64", number, false>();
const floats = typed<"float64", number, false>();
const floatn = typed<"float64", number, true>();
const decimals = typed<"decimal", string, false>();
const decimaln = typed<"decimal", string, true>();
const texts = typed<"text", string, false>();
const textn = typed<"text", string, true>();
const bools = typed<"bool", boolean, false>();
const booln = typed<"bool", boolean, true>();

test("what the compiler knows of an expression is what its node says", () => {
  fromRows(schema, []).with((c) => {
    int64s(c.i.add(1), true, "int64()");
    int64s(c.i.add(c.l), true, "int64()");
    int64n(c.i.add(c.in), true, "int64().nullable()");
    floats(c.i.add(0.5), true, "float64()");
    floats(c.i.mul(c.s), true, "float64()");
    floats(c.s.add(1), true, "float64()");
    decimals(c.d.add(1), true, "decimal(16, 2)");
    decimals(c.d.mul(0.05), true, "decimal(17, 4)");
    decimals(c.d.mul("1.07"), true, "decimal(18, 4)");
    decimaln(c.d.mul(c.dn), true, "decimal(20, 3).nullable()");
    decimals(c.i.add(c.d), true, "decimal(16, 2)");
    decimals(lit(1, int32()).sub(c.d), true, "decimal(16, 2)");
    floats(c.d.add(c.f), true, "float64()");
    floats(c.i.div(2), true, "float64()");
    floatn(c.i.div(0), true, "float64().nullable()");
    floatn(c.i.div(c.l), true, "float64().nullable()");
    floatn(c.in.div(2), true, "float64().nullable()");
    int64s(c.i.mod(3), true, "int64()");
    int64n(c.i.mod(c.i), true, "int64().nullable()");
    int64n(c.i.intDiv(c.i), true, "int64().nullable()");
    int64s(c.i.intDiv(7), true, "int64()");
    int64s(c.i.neg(), true, "int64()");
    floats(c.s.abs(), true, "float64()");
    decimals(c.d.round(1), true, "decimal(15, 1)");
    int32s(c.f.sign(), true, "int32()");
    floatn(c.fn.sqrt(), true, "float64().nullable()");
    floats(c.f.clip(0, 1), true, "float64()");
    bools(c.i.eq(1), true, "bool()");
    booln(c.i.eq(c.in), true, "bool().nullable()");
    booln(c.in.gt(1), true, "bool().nullable()");
    bools(c.in.eqNull(1), true, "bool()");
    bools(c.in.isNull(), true, "bool()");
    booln(c.in.in([1, 2]), true, "bool().nullable()");
    bools(c.b.and(c.i.gt(1)), true, "bool()");
    booln(c.b.or(c.bn), true, "bool().nullable()");
    int32s(c.in.fillNull(0), true, "int32()");
    int32n(c.in.fillNull(c.in), true, "int32().nullable()");
    int32n(c.i.nullIf(0), true, "int32().nullable()");
    texts(coalesce(c.tn, c.t), true, "text()");
    textn(coalesce(c.tn, c.tn), true, "text().nullable()");
    texts(coalesce(c.tn, c.tn, "x"), true, "text()");
    int32s(greatest(c.in, 3), true, "int32()");
    int32n(least(c.in, c.in), true, "int32().nullable()");
    textn(c.t.map({ a: "b" }), true, "text().nullable()");
    floats(c.t.map({ a: 1 }, 0), true, "float64()");
    textn(c.i.cut([0, 1]), true, "text().nullable()");
    int64s(c.tn.hash(), true, "int64()");
    texts(when(c.b, "x").otherwise("y"), true, "text()");
    textn(when(c.b, "x").otherwise(c.tn), true, "text().nullable()");
    floatn(when(c.b, 1).when(c.bn, null).otherwise(0), true, "float64().nullable()");
    int32s(when(c.b, c.i).otherwise(0), true, "int32()");
    int32s(c.t.length(), true, "int32()");
    textn(c.tn.concat("a"), true, "text().nullable()");
    textn(c.t.extract(/a/), true, "text().nullable()");
    int32s(c.day.year(), true, "int32()");
    counts(c.ts.diff(c.ts, "day"), true, "int64()");
    typed<"date", string, false>()(c.ts.date(), true, "date()");
    typed<"timestamp", string, false>()(c.tz.toTimeZone("UTC"), true, "timestamp()");
    typed<"date", string, true>()(c.tn.tryParseDate("%Y"), true, "date().nullable()");
    int32n(c.li.get(0), true, "int32().nullable()");
    int64n(c.li.listSum(), true, "int64().nullable()");
    textn(c.ln.join(","), true, "text().nullable()");
    texts(c.st.field("city"), true, "text()");
    int32n(c.st.field("zip"), true, "int32().nullable()");
    textn(c.sn.field("city"), true, "text().nullable()");
    int64n(c.j.at("a").cast(int64()), true, "int64().nullable()");
    int32s(c.i.cast(int32()), true, "int32()");
    int32n(c.t.tryCast(int32()), true, "int32().nullable()");
    floats(lit(5), true, "float64()");
    int64s(lit(5n), true, "int64()");
    int32s(lit(5, int32()), true, "int32()");
    textn(lit(null, text()), true, "text().nullable()");
    int32s(sql`1`.as(int32()), true, "int32()");
    counts(rowNumber().over({ order: c.i }), true, "int64()");
    int32n(c.i.lag().over({ order: c.i }), true, "int32().nullable()");
    int32s(c.i.lag(1, 0).over({ order: c.i }), true, "int32()");
    int64s(c.i.sum().over({ order: c.i }), true, "int64()");
    int64s(c.i.sum().over({ order: c.i, rows: [-2, 0] }), true, "int64()");
    int64n(c.i.sum().over({ order: c.i, rows: [-2, -1] }), true, "int64().nullable()");
    int64n(c.i.sum().over({ order: c.i, rows: [1, null] }), true, "int64().nullable()");
    int64n(c.in.sum().over({}), true, "int64().nullable()");
    counts(c.in.count().over({ order: c.i, rows: [-2, -1] }), true, "int64()");
    return {};
  });
});

test("what the compiler knows of an aggregate is what its node says", () => {
  fromRows(schema, [])
    .groupBy("t")
    .agg((c) => {
      counts(count(), true, "int64()");
      counts(c.in.count(), true, "int64()");
      int64s(c.i.sum(), true, "int64()");
      int64n(c.in.sum(), true, "int64().nullable()");
      decimals(c.d.sum(), true, "decimal(38, 2)");
      floats(c.s.sum(), true, "float64()");
      floats(c.d.mean(), true, "float64()");
      floatn(c.f.std(), true, "float64().nullable()");
      int32s(c.i.max(), true, "int32()");
      int32n(c.i.max().where(c.b), true, "int32().nullable()");
      counts(count().where(c.b), true, "int64()");
      textn(c.t.argMin(c.i), true, "text().nullable()");
      floats(c.i.sum().div(2), true, "float64()");
      floatn(c.i.sum().div(c.i.count()), true, "float64().nullable()");
      bools(c.b.every(), true, "bool()");
      return { n: count() };
    });
});

const frame = fromRows(schema, []);

/** Refused by the compiler, or only known at run time, and always said in one sentence. */
// biome-ignore format: the compiler looks for an error in the line below its comment
const refused: readonly (readonly [says: RegExp, code: string, make: () => unknown])[] = [
  // @ts-expect-error a text has no square root
  [/sqrt\(\) needs a number, and the column "t" is text\(\)/, "data.types", () => frame.with((c) => ({ x: c.t.sqrt() }))],
  // @ts-expect-error a number has no lower case
  [/lower\(\) needs a text, and the column "i" is int32\(\)/, "data.types", () => frame.with((c) => ({ x: c.i.lower() }))],
  // @ts-expect-error a float has no bits
  [/bitAnd\(\) needs a whole number/, "data.types", () => frame.with((c) => ({ x: c.f.bitAnd(1) }))],
  // @ts-expect-error a date has no hour
  [/hour\(\) needs a time or timestamp, and the column "day" is date/, "data.types", () => frame.with((c) => ({ x: c.day.hour() }))],
  // @ts-expect-error there is no unit fortnight
  [/trunc\(\) has no unit "fortnight"/, "data.argument", () => frame.with((c) => ({ x: c.ts.trunc("fortnight") }))],
  // @ts-expect-error there is no unit months
  [/trunc\(\) has no unit "months": did you mean month/, "data.argument", () => frame.with((c) => ({ x: c.ts.trunc("months") }))],
  // @ts-expect-error a timestamp is not compared with a timestamptz
  [/eq\(\) compares the column "ts", which is timestamp\(\), with the column "tz"/, "data.types", () => frame.with((c) => ({ x: c.ts.eq(c.tz) }))],
  // @ts-expect-error a number is not compared with a text
  [/eq\(\) is given "5" where a value of int32\(\) is needed/, "data.literal", () => frame.with((c) => ({ x: c.i.eq("5") }))],
  // @ts-expect-error null is compared with isNull
  [/eq\(\) with null is never true: use isNull/, "data.literal", () => frame.with((c) => ({ x: c.in.eq(null) }))],
  // @ts-expect-error JSON is not compared
  [/cannot compare JSON: cast the column "j"/, "data.types", () => frame.with((c) => ({ x: c.j.eq(c.j) }))],
  // @ts-expect-error and takes conditions
  [/and\(\) needs a condition, and the column "i" is int32/, "data.types", () => frame.with((c) => ({ x: c.b.and(c.i) }))],
  // @ts-expect-error there is no such field
  [/The column "st" has no field "citty": did you mean city/, "data.column", () => frame.with((c) => ({ x: c.st.field("citty") }))],
  // @ts-expect-error a join is of texts
  [/join\(\) needs a list of texts/, "data.types", () => frame.with((c) => ({ x: c.li.join(",") }))],
  // @ts-expect-error an aggregate of an aggregate
  [/takes values of rows, and the result of sum\(\) is an aggregate already/, "data.aggregate", () => frame.groupBy("t").agg((c) => ({ x: c.i.sum().max() }))],
  // @ts-expect-error a mean of a text
  [/mean\(\) needs a number/, "data.types", () => frame.groupBy("t").agg((c) => ({ x: c.t.mean() }))],
  // @ts-expect-error first needs an order
  [/first\(\) needs an order/, "data.argument", () => frame.groupBy("t").agg((c) => ({ x: c.i.first() }))],
  // @ts-expect-error branches of two types
  [/needs values of one type, and "x" is text\(\), the column "i" int32/, "data.types", () => frame.with((c) => ({ x: when(c.b, "x").otherwise(c.i) }))],
  // @ts-expect-error two types
  [/fillNull\(\) needs values of one type/, "data.types", () => frame.with((c) => ({ x: c.in.fillNull(c.l) }))],
  [/There is no cast of the column "f", which is float64\(\), to text\(\): .*format/, "data.cast", () => frame.with((c) => ({ x: c.f.cast(text()) }))],
  [/no cast of the column "ts".*fromTimeZone/, "data.cast", () => frame.with((c) => ({ x: c.ts.cast(timestamptz()) }))],
  [/no cast of the column "ts".*date\(\)/, "data.cast", () => frame.with((c) => ({ x: c.ts.cast(date()) }))],
  [/no cast of the column "i".*ne\(0\)/, "data.cast", () => frame.with((c) => ({ x: c.i.cast(bool()) }))],
  [/lit\(\) is given 3e\+300/, "data.literal", () => lit(3e300, int32())],
  [/lit\(\) is given "1.234" where a value of decimal\(3, 2\)/, "data.literal", () => lit("1.234", decimal(3, 2))],
  [/"2026-02-30", which is not a date/, "data.literal", () => frame.with((c) => ({ x: c.day.eq("2026-02-30") }))],
  [/fillNull\(\) is given 0.5 where a value of int32\(\) is needed/, "data.literal", () => frame.with((c) => ({ x: c.in.fillNull(0.5) }))],
  [/takes no hours/, "data.argument", () => frame.with((c) => ({ x: c.day.add({ hours: 1 }) }))],
  // @ts-expect-error there is no option month
  [/no option "month" of add\(\): did you mean months/, "argument.option", () => frame.with((c) => ({ x: c.day.add({ month: 1 }) }))],
  [/has no zone "Europe\/Berlinn": did you mean Europe\/Berlin/, "data.argument", () => frame.with((c) => ({ x: c.tz.toTimeZone("Europe/Berlinn") }))],
  [/has no "%Q" in its patterns/, "data.argument", () => frame.with((c) => ({ x: c.ts.format("%Q") }))],
  [/no look-ahead in regular expressions/, "data.pattern", () => frame.with((c) => ({ x: c.t.matches(/a(?=b)/) }))],
  [/no look-behind/, "data.pattern", () => frame.with((c) => ({ x: c.t.matches(/(?<!a)b/) }))],
  [/no back reference/, "data.pattern", () => frame.with((c) => ({ x: c.t.matches(/(a)\1/) }))],
  [/is not a regular expression/, "data.pattern", () => frame.with((c) => ({ x: c.t.matches("a(") }))],
  [/is given the group 3, and the pattern has 1/, "data.argument", () => frame.with((c) => ({ x: c.t.extract(/(a)/, 3) }))],
  [/needs two edges or more/, "data.argument", () => frame.with((c) => ({ x: c.f.cut([1]) }))],
  [/hash\(\) needs values that have one text, and the column "f"/, "data.types", () => frame.with((c) => ({ x: c.f.hash() }))],
  [/rowNumber\(\) needs an order/, "data.argument", () => frame.with(() => ({ x: rowNumber().over({}) }))],
  [/The rows of a window are/, "data.argument", () => frame.with((c) => ({ x: c.i.sum().over({ order: c.i, rows: [2, 1] }) }))],
  [/needs spans of time such as/, "data.argument", () => frame.with((c) => ({ x: c.i.sum().over({ order: c.ts, range: [-7, 0] }) }))],
  [/looks at other rows: make it a column with with\(\) first/, "data.aggregate", () => frame.groupBy("t").agg((c) => ({ x: c.i.sum().over({}).sum() }))],
  [/A null has no type of its own/, "data.literal", () => lit(null as never)],
];

for (const [says, code, make] of refused)
  test(`${code}: ${says.source} is said of what does not fit`, () => {
    assert.throws(make, (error: Error & { readonly code?: string }) => {
      assert.match(error.message, says);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });

test("a helper of a program takes expressions of any frame", () => {
  const isLarge = (
    amount: Expression<ColumnType<"float64">, "row"> & { gt(other: number): Condition },
  ): Condition => amount.gt(1000);
  const perDay = <F extends Form>(moment: ExpressionOf<ColumnType<"timestamp", string, false>, F>) =>
    moment.trunc("day");
  const seen = frame.with((c) => ({ large: isLarge(c.f), day: perDay(c.ts) })).select("large", "day");
  assert.deepEqual(
    seen.fields.map(({ type }) => typeText(type)),
    ["bool()", "timestamp()"],
  );
});
