/** What every engine must make of aggregates and windows: answers known from their definitions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import type { Engine } from "../../../src/data/engine/contract.ts";
import {
  bool,
  count,
  date,
  decimal,
  denseRank,
  float32,
  float64,
  fromRows,
  int32,
  int64,
  ntile,
  percentRank,
  rank,
  rowNumber,
  text,
  uint64,
} from "../../../src/data/index.ts";
import type { Loose } from "./functions.ts";
import { nearly } from "./nearly.ts";

const schema = {
  g: text(),
  at: int32(),
  i: int32().nullable(),
  l: int64().nullable(),
  u: uint64().nullable(),
  f: float64().nullable(),
  s: float32().nullable(),
  d: decimal(5, 2).nullable(),
  t: text().nullable(),
  b: bool().nullable(),
  day: date().nullable(),
  y: float64().nullable(),
};

const none = { i: null, l: null, u: null, f: null, s: null, d: null, t: null, b: null, day: null, y: null };

/** Three groups: four rows of which one holds nulls, a single row, and rows of nulls alone. */
const rows = [
  {
    g: "some",
    at: 3,
    i: 4,
    l: 2n ** 62n,
    u: 4n,
    f: 4,
    s: 0.5,
    d: "4.25",
    t: "😀",
    b: true,
    day: "2026-01-31",
    y: 8,
  },
  {
    g: "some",
    at: 1,
    i: 1,
    l: 2n ** 62n - 1n,
    u: 1n,
    f: 1,
    s: 0.25,
    d: "1.00",
    t: "b",
    b: false,
    day: "2026-01-01",
    y: 2,
  },
  {
    g: "some",
    at: 2,
    i: 2,
    l: -1n,
    u: 1n,
    f: 2,
    s: 0.25,
    d: "-0.05",
    t: "b",
    b: null,
    day: "2026-01-15",
    y: 4,
  },
  { g: "some", at: 4, ...none },
  {
    g: "one",
    at: 1,
    i: 5,
    l: 5n,
    u: 2n ** 63n - 1n,
    f: Number.NaN,
    s: 1,
    d: "5.00",
    t: "",
    b: true,
    day: "1969-12-31",
    y: 1,
  },
  { g: "nulls", at: 1, ...none },
  { g: "nulls", at: 2, ...none },
];

/** What an aggregate gives for each group: some, one, nulls. */
const aggregates: readonly (readonly [name: string, make: (c: Loose) => Loose, gives: readonly unknown[]])[] =
  [
    ["count", () => count(), [4, 1, 2]],
    ["count of values", (c) => c.i.count(), [3, 1, 0]],
    ["countIf", (c) => c.i.gt(1).countIf(), [2, 1, 0]],
    ["countDistinct", (c) => c.t.countDistinct(), [2, 1, 0]],
    ["approxCountDistinct", (c) => c.t.approxCountDistinct(), [2, 1, 0]],
    ["sum", (c) => c.i.sum(), [7n, 5n, null]],
    ["sum of int64 to near its end", (c) => c.l.sum(), [2n ** 63n - 2n, 5n, null]],
    ["sum of uint64", (c) => c.u.sum(), [6n, 2n ** 63n - 1n, null]],
    ["sum of floats", (c) => c.f.sum(), [7, Number.NaN, null]],
    ["sum of float32", (c) => c.s.sum(), [1, 1, null]],
    ["sum of decimals", (c) => c.d.sum(), ["5.20", "5.00", null]],
    ["mean", (c) => c.i.mean(), [nearly(7 / 3), 5, null]],
    ["mean of decimals", (c) => c.d.mean(), [nearly(5.2 / 3), 5, null]],
    ["median", (c) => c.i.median(), [2, 5, null]],
    ["quantile", (c) => c.i.quantile(0.25), [1.5, 5, null]],
    ["quantile 0", (c) => c.i.quantile(0), [1, 5, null]],
    ["quantile 1", (c) => c.d.quantile(1), [4.25, 5, null]],
    ["approxQuantile", (c) => c.i.approxQuantile(0.5), [2, 5, null]],
    ["std", (c) => c.i.std(), [nearly(Math.sqrt(7 / 3)), null, null]],
    ["var", (c) => c.i.var(), [nearly(7 / 3), null, null]],
    ["skewness", (c) => c.i.skewness(), [nearly(0.935219529582825), null, null]],
    ["corr", (c) => c.i.corr(c.y), [nearly(1), null, null]],
    ["covar", (c) => c.i.covar(c.y), [nearly(14 / 3), null, null]],
    ["min", (c) => c.i.min(), [1, 5, null]],
    ["max", (c) => c.f.max(), [4, Number.NaN, null]],
    ["max of texts", (c) => c.t.max(), ["😀", "", null]],
    ["min of days", (c) => c.day.min(), ["2026-01-01", "1969-12-31", null]],
    ["argMin", (c) => c.t.argMin(c.i), ["b", "", null]],
    ["argMax", (c) => c.day.argMax(c.i), ["2026-01-31", "1969-12-31", null]],
    ["argMin of equal rows", (c) => c.i.argMin(c.u), [1, 5, null]],
    ["mode", (c) => c.t.mode(), ["b", "", null]],
    ["every", (c) => c.b.every(), [false, true, null]],
    ["some", (c) => c.b.some(), [true, true, null]],
    ["any", (c) => c.b.any().isNotNull(), [true, true, false]],
    ["first", (c) => c.i.first({ order: c.at }), [1, 5, null]],
    ["last, a null", (c) => c.i.last({ order: c.at }), [null, 5, null]],
    ["last, descending", (c) => c.i.last({ order: c.at.desc() }), [1, 5, null]],
    ["list", (c) => c.i.list({ order: c.at.desc() }), [[null, 4, 2, 1], [5], [null, null]]],
    ["sum where", (c) => c.i.sum().where(c.i.lt(3)), [3n, null, null]],
    ["count where", (c) => count().where(c.i.lt(3)), [2, 0, 0]],
    ["list where", (c) => c.i.list({ order: c.at }).where(c.i.lt(3)), [[1, 2], [], []]],
    ["argMin where", (c) => c.t.argMin(c.i).where(c.i.gt(1)), ["b", "", null]],
    ["an expression over aggregates", (c) => c.i.sum().div(c.f.count()).add(1), [nearly(7 / 3 + 1), 6, null]],
  ];

const kurtosis: readonly (readonly [values: readonly number[], gives: unknown])[] = [
  [[1, 2, 3, 10], nearly(3.228)],
  [[1, 1, 1, 1], null],
  [[1, 2, 3], null],
];

/** What a window gives for the rows of "some" in the order of `at`. */
const windows: readonly (readonly [name: string, make: (c: Loose) => Loose, gives: readonly unknown[]])[] = [
  ["a running sum", (c) => c.i.sum().over({ by: c.g, order: c.at }), [1n, 3n, 7n, 7n]],
  ["the sum of all", (c) => c.i.sum().over({ by: c.g }), [7n, 7n, 7n, 7n]],
  [
    "the rows before and this one",
    (c) => c.i.sum().over({ by: c.g, order: c.at, rows: [-1, 0] }),
    [1n, 3n, 6n, 4n],
  ],
  ["the rows before", (c) => c.i.sum().over({ by: c.g, order: c.at, rows: [-2, -1] }), [null, 1n, 3n, 6n]],
  ["the rows after", (c) => c.i.count().over({ by: c.g, order: c.at, rows: [1, null] }), [2, 1, 0, 0]],
  ["a range of numbers", (c) => c.at.count().over({ by: c.g, order: c.at, range: [-1, 1] }), [2, 3, 3, 2]],
  [
    "a range of days",
    (c) => count().over({ by: c.g, order: c.day, range: [{ days: -16 }, 0] }),
    [1, 2, 2, 1],
  ],
  [
    "a range of months",
    (c) => c.i.sum().over({ by: c.g, order: c.day, range: [{ months: -1 }, null] }),
    [7n, 7n, 7n, null],
  ],
  ["rowNumber", (c) => rowNumber().over({ by: c.g, order: c.at.desc() }), [4, 3, 2, 1]],
  ["rank", (c) => rank().over({ by: c.g, order: c.t }), [1, 1, 3, 4]],
  ["denseRank", (c) => denseRank().over({ by: c.g, order: c.t }), [1, 1, 2, 3]],
  ["percentRank", (c) => percentRank().over({ by: c.g, order: c.t }), [0, 0, nearly(2 / 3), 1]],
  ["ntile", (c) => ntile(3).over({ by: c.g, order: c.at }), [1, 1, 2, 3]],
  ["lag", (c) => c.i.lag().over({ by: c.g, order: c.at }), [null, 1, 2, 4]],
  [
    "lag with otherwise",
    (c) => c.t.lag(2, "none").over({ by: c.g, order: c.at }),
    ["none", "none", "b", "b"],
  ],
  ["lead", (c) => c.at.lead(1, 0).over({ by: c.g, order: c.at }), [2, 3, 4, 0]],
  [
    "first over a window",
    (c) => c.i.first({ order: c.at.desc() }).over({ by: c.g }),
    [null, null, null, null],
  ],
  ["last over rows", (c) => c.i.last({ order: c.at }).over({ by: c.g, rows: [null, 0] }), [1, 2, 4, null]],
  ["a median over rows", (c) => c.i.median().over({ by: c.g, order: c.at, rows: [-1, 1] }), [1.5, 2, 3, 4]],
  ["a list over rows", (c) => c.i.list().over({ by: c.g, order: c.at, rows: [-1, -1] }), [[], [1], [2], [4]]],
  ["a sum where", (c) => c.i.sum().where(c.i.gt(1)).over({ by: c.g, order: c.at }), [null, 2n, 6n, 6n]],
  ["nulls last in both directions", (c) => rowNumber().over({ by: c.g, order: c.i.desc() }), [3, 2, 1, 4]],
  [
    "a part of the whole",
    (c) => c.i.div(c.i.sum().over({ by: c.g })),
    [nearly(1 / 7), nearly(2 / 7), nearly(4 / 7), null],
  ],
];

/** The conformance of an engine to the meanings of aggregates and windows. */
export function aggregateConformance(engine: Engine): void {
  test(`${engine.name} gives the known answers of all aggregates`, async () => {
    const found = await fromRows(schema, rows as never)
      .groupBy("g")
      .agg((c) => Object.fromEntries(aggregates.map(([name, make]) => [name, make(c)])) as never)
      .collect({ engine });
    const byGroup = new Map(
      found.map((row) => {
        const values = new Map<string, unknown>(Object.entries(row as object));
        return [String(values.get("g")), values];
      }),
    );
    const wrong = aggregates.flatMap(([name, , gives]) =>
      ["some", "one", "nulls"].flatMap((group, index) =>
        problem(`${name} of ${group}`, byGroup.get(group)?.get(name), gives[index]),
      ),
    );
    assert.deepEqual(wrong, []);
  });

  test(`${engine.name} gives the known kurtosis`, async () => {
    const given = kurtosis.flatMap(([values], g) => values.map((x) => ({ g, x })));
    const found = await fromRows({ g: int32(), x: float64() }, given)
      .groupBy("g")
      .agg((c) => ({ k: c.x.kurtosis() }))
      .sort("g")
      .collect({ engine });
    assert.deepEqual(
      found.flatMap(({ k }, index) => problem(`kurtosis ${index}`, k, kurtosis[index]?.[1])),
      [],
    );
  });

  test(`${engine.name} gives NaN as the statistic of numbers that are not finite, and null where nothing varies`, async () => {
    const given = [
      ...[1, 2, Infinity].map((x) => ({ g: "infinite", x, y: x })),
      ...[1, 2, Number.NaN].map((x) => ({ g: "nan", x, y: 1 })),
      ...[3, 3, 3, 3].map((x) => ({ g: "same", x, y: x })),
    ];
    const found = await fromRows({ g: text(), x: float64(), y: float64() }, given)
      .groupBy("g")
      .agg((c) => ({
        std: c.x.std(),
        var: c.x.var(),
        corr: c.x.corr(c.y),
        covar: c.x.covar(c.y),
        skewness: c.x.skewness(),
      }))
      .sort("g")
      .collect({ engine });
    const nan = {
      std: Number.NaN,
      var: Number.NaN,
      corr: Number.NaN,
      covar: Number.NaN,
      skewness: Number.NaN,
    };
    assert.deepEqual(found, [
      { g: "infinite", ...nan },
      { g: "nan", ...nan },
      { g: "same", std: 0, var: 0, corr: null, covar: 0, skewness: null },
    ]);
  });

  test(`${engine.name} takes 0 and -0, and all NaN, for one key of a group`, async () => {
    const found = await fromRows({ x: float64() }, [
      { x: 0 },
      { x: -0 },
      { x: Number.NaN },
      { x: Number.NaN },
    ])
      .groupBy("x")
      .agg(() => ({ n: count() }))
      .collect({ engine });
    assert.deepEqual(
      found.map(({ n }) => n),
      [2, 2],
    );
  });

  test(`${engine.name} gives the known answers of windows`, async () => {
    const found = await fromRows(schema, rows as never)
      .filter((c) => c.g.eq("some"))
      .with((c) => Object.fromEntries(windows.map(([name, make]) => [name, make(c)])) as never)
      .sort("at" as never)
      .collect({ engine });
    const wrong = windows.flatMap(([name, , gives]) =>
      gives.flatMap((each, index) =>
        problem(`${name}, row ${index + 1}`, new Map(Object.entries(found[index] ?? {})).get(name), each),
      ),
    );
    assert.deepEqual(wrong, []);
  });

  test(`${engine.name} fails at a sum of whole numbers beyond int64`, async () => {
    const sums = fromRows({ g: int32(), x: int64() }, [
      { g: 1, x: 2n ** 63n - 1n },
      { g: 1, x: 1n },
    ])
      .groupBy("g")
      .agg((c) => ({ x: c.x.sum() }));
    await assert.rejects(sums.collect({ engine }), /9223372036854775808|overflow/);
  });
}

function problem(what: string, value: unknown, gives: unknown): readonly string[] {
  const isRight =
    typeof gives === "function"
      ? (gives as (value: unknown) => boolean)(value)
      : isDeepStrictEqual(value, gives);
  return isRight ? [] : [`${what}: ${inspect(value)}, not ${inspect(gives)}`];
}
