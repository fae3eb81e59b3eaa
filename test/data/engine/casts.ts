/** What every engine must make of casts: every pair of types, with values that fit and values that do not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import type { Engine } from "../../../src/data/engine/contract.ts";
import { castRule } from "../../../src/data/expr/casts.ts";
import {
  bool,
  bytes,
  type ColumnType,
  date,
  decimal,
  float32,
  float64,
  fromRows,
  int8,
  int16,
  int32,
  int64,
  json,
  list,
  struct,
  text,
  time,
  timestamp,
  timestamptz,
  uint8,
  uint16,
  uint32,
  uint64,
  uuid,
  when,
} from "../../../src/data/index.ts";
import type { Loose } from "./functions.ts";

const UUID = "550e8400-e29b-41d4-a716-446655440000";

/** A type of each kind, with typical and extreme values. */
const types: readonly (readonly [type: ColumnType, values: readonly unknown[]])[] = [
  [bool(), [true, false]],
  [int8(), [0, 1, -128, 127]],
  [int16(), [0, 1, -32_768, 32_767]],
  [int32(), [0, 1, -(2 ** 31), 2 ** 31 - 1]],
  [int64(), [0n, 1n, -(2n ** 63n), 2n ** 63n - 1n]],
  [uint8(), [0, 1, 255]],
  [uint16(), [0, 1, 65_535]],
  [uint32(), [0, 1, 2 ** 32 - 1]],
  [uint64(), [0n, 1n, 2n ** 64n - 1n]],
  [float32(), [0, -0, 1, 1.5, Number.NaN, Infinity, -Infinity]],
  [float64(), [0, -0, 1, 2.5, 1e300, 5e-324, Number.NaN, Infinity, -Infinity, 2 ** 53, 2 ** 63]],
  [decimal(38, 0), ["0", "1", "9".repeat(38), `-${"9".repeat(38)}`]],
  [decimal(5, 3), ["0.000", "1.000", "99.999", "-0.001"]],
  [
    text(),
    [
      "",
      "1",
      "true",
      "1.5",
      "2026-01-31",
      "10:30:00",
      "2026-01-31T10:30:00",
      "2026-01-31T10:30:00Z",
      UUID,
      "[1]",
      "😀",
      "\0",
      "NaN",
    ],
  ],
  [bytes(), [new Uint8Array(0), new Uint8Array([0xff]), new Uint8Array([0x41])]],
  [date(), ["1970-01-01", "0001-01-01", "9999-12-31"]],
  [time(), ["00:00:00", "23:59:59.999999"]],
  [timestamp(), ["1970-01-01T00:00:00", "0001-01-01T00:00:00.000001", "9999-12-31T23:59:59.999999"]],
  [timestamptz(), ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"]],
  [uuid(), [UUID, "00000000-0000-0000-0000-000000000000"]],
  [json(), [0, 1, 1.5, "1", "a", true, [1], { a: "x" }, "2026-01-31"]],
  [list(text()), [[], ["a"]]],
  [struct({ a: text() }), [{ a: "" }, { a: "x" }]],
];

/** The kinds that a kind is cast to besides its own, by hand: the table of `casts.ts` is held to it. */
const INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64";
const NUMBERS = `${INTEGERS} float32 float64`;
const FROM_TEXT = `bool ${NUMBERS} decimal date time timestamp timestamptz uuid json`;
const allowed: Readonly<Record<string, string>> = {
  bool: `${NUMBERS} text`,
  ...Object.fromEntries(INTEGERS.split(" ").map((kind) => [kind, `${NUMBERS} decimal text`])),
  float32: `${NUMBERS} decimal`,
  float64: `${NUMBERS} decimal`,
  decimal: `${NUMBERS} decimal text`,
  text: `${FROM_TEXT} bytes`,
  bytes: "text",
  date: "text timestamp",
  time: "text",
  timestamp: "text",
  timestamptz: "text",
  uuid: "text",
  json: `${FROM_TEXT} text list struct`,
  list: "json",
  struct: "json",
};

interface Pair {
  readonly name: string;
  readonly from: ColumnType;
  readonly to: ColumnType;
  readonly values: readonly unknown[];
}

/** JSON as a list or struct is only cast checked. */
function isJsonToNested(from: ColumnType, to: ColumnType): boolean {
  return from.kind === "json" && (to.kind === "list" || to.kind === "struct");
}

const pairs: readonly Pair[] = types.flatMap(([from, values], row) =>
  types.flatMap(([to], column): Pair[] =>
    row !== column && typeof castRule(from, to) === "string" && !isJsonToNested(from, to)
      ? [{ name: `${from.kind} to ${to.kind} ${row} ${column}`, from, to, values }]
      : [],
  ),
);

/** The conformance of an engine to the casts between all types. */
export function castConformance(engine: Engine): void {
  test("the table of casts allows exactly what is meant", () => {
    for (const [from] of types)
      for (const [to] of types) {
        const isAllowed =
          from.kind === to.kind ||
          new Map(Object.entries(allowed)).get(from.kind)?.split(" ").includes(to.kind) === true;
        assert.equal(typeof castRule(from, to) === "string", isAllowed, `${from.kind} to ${to.kind}`);
      }
  });

  const unfit: { readonly pair: Pair; readonly value: unknown }[] = [];

  test(`${engine.name} casts all values that fit, and makes the others null, for every pair of types`, async () => {
    const height = Math.max(...types.map(([, values]) => values.length));
    const fields = types.map(([type], index) => [`c${index}`, type.nullable()] as const);
    const rows = Array.from({ length: height }, (_, at) =>
      Object.fromEntries([
        ["at", at],
        ...types.map(([, values], index) => [`c${index}`, values[at] ?? null]),
      ]),
    );
    const found = await fromRows({ at: int32(), ...Object.fromEntries(fields) }, rows as never)
      .with((c) => {
        const loose = c as unknown as Readonly<Record<string, Loose>>;
        return Object.fromEntries(
          pairs.flatMap(({ name, to }) => {
            const column = loose[`c${name.split(" ").at(-2)}`];
            const tried = column.tryCast(to);
            return [
              [`try ${name}`, tried],
              [`cast ${name}`, when(tried.isNotNull(), column.cast(to)).otherwise(null)],
            ];
          }),
        ) as never;
      })
      .sort("at" as never)
      .collect({ engine });
    const wrong: string[] = [];
    for (const pair of pairs)
      for (const [at, value] of pair.values.entries()) {
        const values = new Map<string, unknown>(Object.entries(found[at] ?? {}));
        const [tried, cast] = [values.get(`try ${pair.name}`), values.get(`cast ${pair.name}`)];
        if (!isDeepStrictEqual(tried, cast))
          wrong.push(`${pair.name} of ${inspect(value)}: ${inspect(cast)} and tried ${inspect(tried)}`);
        if (tried === null && castRule(pair.from, pair.to) === "free")
          wrong.push(`${pair.name} of ${inspect(value)} is null`);
        if (tried === null && value !== "null") unfit.push({ pair, value });
      }
    assert.deepEqual(wrong, []);
    assert.ok(unfit.length > 100);
  });

  test(`${engine.name} fails at each cast of a value that does not fit`, async () => {
    const seen = new Set<string>();
    for (const { pair, value } of unfit) {
      if (seen.has(pair.name)) continue;
      seen.add(pair.name);
      const frame = fromRows({ x: pair.from }, [{ x: value } as never]).with(
        (c) => ({ y: (c.x as Loose).cast(pair.to) }) as never,
      );
      await assert.rejects(frame.collect({ engine }), `${pair.name} of ${inspect(value)}`);
    }
  });
}
