/**
 * What every engine must make of the functions of expressions: answers known from their definitions, not from an engine. All groups go
 * through the engine as columns of one frame, so that the suite is a few queries.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import type { Engine } from "../../../src/data/engine/contract.ts";
import type { BuiltExpression } from "../../../src/data/expr/expression.ts";
import { FUNCTIONS } from "../../../src/data/expr/functions.ts";
import * as data from "../../../src/data/index.ts";
import {
  bool,
  bytes,
  type ColumnType,
  coalesce,
  date,
  decimal,
  type FrameSchema,
  float32,
  float64,
  fromRows,
  greatest,
  hash,
  int8,
  int16,
  int32,
  int64,
  json,
  least,
  list,
  lit,
  struct,
  text,
  time,
  timestamp,
  timestamptz,
  uint8,
  uint64,
  uuid,
  when,
} from "../../../src/data/index.ts";
import { nearly } from "./nearly.ts";

/** An expression in a test that tries what does not compile: its methods take anything. */
// biome-ignore lint/suspicious/noExplicitAny: the table calls methods of all types with all kinds of arguments
export type Loose = any;

/** Inputs (one, or several as a list) and what the function gives; an input is a list only where there are several. */
type Example = readonly [input: unknown, gives: unknown];

interface Group {
  readonly name: string;
  readonly types: readonly ColumnType[];
  readonly make: (...columns: Loose[]) => Loose;
  readonly examples: readonly Example[];
}

const groups: Group[] = [];

function given(
  name: string,
  types: ColumnType | readonly ColumnType[],
  make: (...columns: Loose[]) => Loose,
  examples: readonly Example[],
): void {
  groups.push({ name, types: Array.isArray(types) ? types : [types as ColumnType], make, examples });
}

const T = text().nullable();
const F = float64().nullable();
const I = int32().nullable();
const L = int64().nullable();
const B = bool().nullable();
const D = date().nullable();
const TS = timestamp().nullable();
const TZ = timestamptz().nullable();
const LI = list(int32().nullable()).nullable();
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

// Comparison and logic.
given("eq of floats", [F, F], (a, b) => a.eq(b), [
  [[1, 1], true],
  [[Number.NaN, Number.NaN], true],
  [[-0, 0], true],
  [[1, null], null],
  [[Infinity, Infinity], true],
]);
given("eq of texts", [T, T], (a, b) => a.eq(b), [
  [["é", "é"], true],
  [["e\u0301", "é"], false],
  [["a", "A"], false],
  [["", null], null],
  [["😀", "😀"], true],
]);
given("eq of int64 beyond 2^53", [L, L], (a, b) => a.eq(b), [
  [[2n ** 53n + 1n, 2n ** 53n], false],
  [[MAX, MAX], true],
  [[MIN, MIN], true],
]);
given("eq with a literal", I, (a) => a.eq(5), [
  [5, true],
  [6, false],
  [null, null],
]);
given("eq with a literal beyond the type", int8().nullable(), (a) => a.eq(1000), [
  [5, false],
  [null, null],
]);
given("eq of float32 and float64", float32().nullable(), (a) => a.eq(0.5), [[0.5, true]]);
given("ne", [I, I], (a, b) => a.ne(b), [
  [[1, 2], true],
  [[1, 1], false],
  [[1, null], null],
]);
given("lt of floats", [F, F], (a, b) => a.lt(b), [
  [[1, Number.NaN], true],
  [[Number.NaN, 1], false],
  [[-Infinity, -1e308], true],
  [[1, 1], false],
  [[null, 1], null],
]);
given("lt of texts by code points", [T, T], (a, b) => a.lt(b), [
  [["B", "a"], true],
  [["\uffff", "😀"], true],
  [["", "a"], true],
  [["a", "ab"], true],
]);
given("le", [I, I], (a, b) => a.le(b), [
  [[1, 1], true],
  [[2, 1], false],
]);
given("gt of uint64", [uint64().nullable(), uint64().nullable()], (a, b) => a.gt(b), [
  [[2n ** 64n - 1n, 2n ** 63n], true],
  [[0n, 0n], false],
]);
given("gt of uint64 and int64", [uint64().nullable(), L], (a, b) => a.gt(b), [
  [[2n ** 63n, MAX], true],
  [[0n, -1n], true],
]);
given("ge of decimals", [decimal(5, 2).nullable(), decimal(4, 1).nullable()], (a, b) => a.ge(b), [
  [["1.50", "1.5"], true],
  [["1.49", "1.5"], false],
]);
given("decimals beside literals of numbers", decimal(5, 2).nullable(), (a) => a.between(0.05, "0.07"), [
  ["0.05", true],
  ["0.07", true],
  ["0.08", false],
  [null, null],
]);
given("between", [I, I, I], (a, b, c) => a.between(b, c), [
  [[2, 1, 3], true],
  [[1, 1, 1], true],
  [[0, 1, 3], false],
  [[null, 1, 3], null],
  [[0, 1, null], false],
  [[2, 1, null], null],
]);
given("eqNull", [I, I], (a, b) => a.eqNull(b), [
  [[null, null], true],
  [[1, null], false],
  [[1, 1], true],
  [[1, 2], false],
]);
given("in", I, (a) => a.in([1, 2, 1000]), [
  [1, true],
  [3, false],
  [null, null],
]);
given("in nothing", I, (a) => a.in([]), [[1, false]]);
given("in an expression", [I, I], (a, b) => a.in([b, 7]), [
  [[1, 1], true],
  [[7, null], true],
  [[1, null], null],
]);
given("notIn", T, (a) => a.notIn(["a", "'; --"]), [
  ["a", false],
  ["b", true],
  ["'; --", false],
  [null, null],
]);
given("notIn nothing", I, (a) => a.notIn([]), [[1, true]]);
given("and", [B, B], (a, b) => a.and(b), [
  [[true, true], true],
  [[true, false], false],
  [[false, null], false],
  [[null, true], null],
  [[null, null], null],
]);
given("or", [B, B], (a, b) => a.or(b), [
  [[false, false], false],
  [[true, null], true],
  [[false, null], null],
  [[null, null], null],
]);
given("not", B, (a) => a.not(), [
  [true, false],
  [false, true],
  [null, null],
]);
given("isNull", F, (a) => a.isNull(), [
  [null, true],
  [Number.NaN, false],
  [0, false],
]);
given("isNotNull", T, (a) => a.isNotNull(), [
  [null, false],
  ["", true],
]);
given("fillNull", I, (a) => a.fillNull(7), [
  [null, 7],
  [0, 0],
]);
given("coalesce", [T, T], (a, b) => coalesce(a, b, "z"), [
  [[null, null], "z"],
  [[null, "b"], "b"],
  [["", "b"], ""],
]);
given(
  "coalesce of decimals",
  [decimal(3, 1).nullable(), decimal(4, 3).nullable()],
  (a, b) => coalesce(a, b),
  [
    [[null, "1.234"], "1.234"],
    [["9.5", null], "9.500"],
  ],
);
given("nullIf", T, (a) => a.nullIf("-"), [
  ["-", null],
  ["a", "a"],
  [null, null],
]);
given("map", T, (a) => a.map({ a: 1, b: 2, constructor: 3 }, 0), [
  ["a", 1],
  ["constructor", 3],
  ["toString", 0],
  [null, 0],
]);
given(
  "map without otherwise",
  I,
  (a) =>
    a.map(
      new Map([
        [1, "one"],
        [2, "two"],
      ]),
    ),
  [
    [1, "one"],
    [3, null],
    [null, null],
  ],
);
given("replaceValues", T, (a) => a.replaceValues({ nyc: "New York" }), [
  ["nyc", "New York"],
  ["la", "la"],
  [null, null],
]);
given("map of a longer expression", T, (a) => a.lower().map({ a: "x" }, "y"), [
  ["A", "x"],
  ["b", "y"],
]);
given("cut", F, (a) => a.cut([0, 10, 20], ["low", "high"]), [
  [0, "low"],
  [9.99, "low"],
  [10, "high"],
  [20, null],
  [-1, null],
  [Number.NaN, null],
  [null, null],
]);
given("cut to infinity", I, (a) => a.cut([-Infinity, 0, Infinity]), [
  [-5, "[-Infinity, 0)"],
  [5, "[0, Infinity)"],
]);
given("greatest", [F, F], (a, b) => greatest(a, b), [
  [[1, 2], 2],
  [[null, 2], 2],
  [[null, null], null],
  [[Number.NaN, 1], Number.NaN],
]);
given("least", [I, I], (a, b) => least(a, b), [
  [[1, 2], 1],
  [[null, 2], 2],
  [[null, null], null],
]);
given("hash", T, (a) => a.hash(), [
  ["a", 57446577476672362n],
  ["", hashOf("")],
]);
given("hash of several", [T, I], (a, b) => hash(a, b), [
  [["ab", 1], hashOf("2:ab1:1")],
  [["a", null], hashOf("1:a-")],
  [[null, null], hashOf("--")],
  [["😀", -5], hashOf("1:😀2:-5")],
]);
given("when", I, (a) => when(a.gt(10), "large").when(a.gt(5), "medium").otherwise("small"), [
  [11, "large"],
  [6, "medium"],
  [1, "small"],
  [null, "small"],
]);
given("when with null", I, (a) => when(a.gt(10), a).otherwise(null), [
  [11, 11],
  [1, null],
]);

// Numbers.
given("add", [I, I], (a, b) => a.add(b), [
  [[2 ** 31 - 1, 1], 2n ** 31n],
  [[-5, 3], -2n],
  [[null, 1], null],
]);
given("add of int64 up to its end", [L, L], (a, b) => a.add(b), [
  [[MAX - 1n, 1n], MAX],
  [[MIN + 1n, -1n], MIN],
]);
given("add of floats", [F, F], (a, b) => a.add(b), [
  [[0.1, 0.2], 0.1 + 0.2],
  [[1e308, 1e308], Infinity],
  [[Infinity, -Infinity], Number.NaN],
  [[-0, -0], -0],
]);
given("add of a whole literal to whole numbers", I, (a) => a.add(1), [[1, 2n]]);
given("add of a fraction to whole numbers", I, (a) => a.add(0.5), [[1, 1.5]]);
given("add of float32", [float32().nullable(), float32().nullable()], (a, b) => a.add(b), [
  [[0.5, 0.25], 0.75],
]);
given("add of decimals", [decimal(3, 1).nullable(), decimal(4, 3).nullable()], (a, b) => a.add(b), [
  [["99.9", "9.999"], "109.899"],
  [["-0.1", "0.100"], "0.000"],
]);
given("decimal and whole", [decimal(3, 2).nullable(), I], (a, b) => a.add(b), [[["0.05", 1], "1.05"]]);
given("decimal and float", [decimal(3, 2).nullable(), F], (a, b) => a.add(b), [[["0.50", 0.25], 0.75]]);
given("one less a decimal", decimal(3, 2).nullable(), (a) => lit("1", decimal(1, 0)).sub(a), [
  ["0.05", "0.95"],
]);
given("sub", [I, I], (a, b) => a.sub(b), [
  [[-(2 ** 31), 1], -(2n ** 31n) - 1n],
  [[1, null], null],
]);
given("sub of uint8 below zero", [uint8().nullable(), uint8().nullable()], (a, b) => a.sub(b), [
  [[0, 255], -255n],
]);
given("mul", [L, L], (a, b) => a.mul(b), [
  [[3n, -4n], -12n],
  [[2n ** 31n, 2n ** 31n], 2n ** 62n],
  [[null, 1n], null],
]);
given("mul of decimals", [decimal(4, 2).nullable(), decimal(3, 2).nullable()], (a, b) => a.mul(b), [
  [["99.99", "0.05"], "4.9995"],
  [["-12.50", "2.00"], "-25.0000"],
]);
given(
  "mul of three decimals",
  decimal(15, 2).nullable(),
  (a) => a.mul(lit("1", decimal(1, 0)).sub("0.05")).mul("1.07"),
  [["901.00", "915.866500"]],
);
given("div", [I, I], (a, b) => a.div(b), [
  [[7, 2], 3.5],
  [[1, 0], null],
  [[0, 0], null],
  [[null, 2], null],
]);
given("div of floats", [F, F], (a, b) => a.div(b), [
  [[1, 0], null],
  [[1, -0], null],
  [[1, Infinity], 0],
  [[1, 4], 0.25],
]);
given("div of decimals", [decimal(4, 2).nullable(), decimal(4, 2).nullable()], (a, b) => a.div(b), [
  [["1.00", "4.00"], 0.25],
  [["1.00", "0.00"], null],
]);
given("intDiv", [I, I], (a, b) => a.intDiv(b), [
  [[7, 2], 3n],
  [[-7, 2], -3n],
  [[7, -2], -3n],
  [[1, 0], null],
  [[null, 1], null],
]);
given("mod", [I, I], (a, b) => a.mod(b), [
  [[5, 3], 2n],
  [[-5, 3], -2n],
  [[5, -3], 2n],
  [[5, 0], null],
]);
given("mod of floats", [F, F], (a, b) => a.mod(b), [
  [[-5.5, 2], -1.5],
  [[5, 0], null],
  [[5.5, Infinity], 5.5],
]);
given("mod of decimals", [decimal(4, 2).nullable(), decimal(3, 1).nullable()], (a, b) => a.mod(b), [
  [["5.25", "0.5"], "0.25"],
  [["5.25", "0.0"], null],
]);
given("neg", L, (a) => a.neg(), [
  [5n, -5n],
  [MAX, -MAX],
  [null, null],
]);
given("neg of floats", F, (a) => a.neg(), [
  [0, -0],
  [Infinity, -Infinity],
]);
given("abs", I, (a) => a.abs(), [
  [-(2 ** 31), 2n ** 31n],
  [0, 0n],
  [null, null],
]);
given("abs of decimals", decimal(3, 1).nullable(), (a) => a.abs(), [["-9.5", "9.5"]]);
given("sign", F, (a) => a.sign(), [
  [-2.5, -1],
  [0, 0],
  [Infinity, 1],
  [Number.NaN, 0],
  [null, null],
]);
given("round", F, (a) => a.round(), [
  [2.5, 3],
  [-2.5, -3],
  [0.49999999999999994, 0],
  [1e300, 1e300],
  [Infinity, Infinity],
  [null, null],
]);
given("round to digits", F, (a) => a.round(2), [
  [1.125, 1.13],
  [-1.125, -1.13],
  [1.5, 1.5],
]);
given("round before the point", L, (a) => a.round(-2), [
  [1250n, 1300n],
  [-1250n, -1300n],
  [49n, 0n],
  [null, null],
]);
given("round of decimals", decimal(4, 2).nullable(), (a) => a.round(1), [
  ["99.95", "100.0"],
  ["-1.25", "-1.3"],
]);
given("floor", F, (a) => a.floor(), [
  [-2.5, -3],
  [2.5, 2],
  [-0, -0],
]);
given("floor of decimals", decimal(3, 1).nullable(), (a) => a.floor(), [
  ["-99.9", "-100"],
  ["99.9", "99"],
]);
given("ceil", F, (a) => a.ceil(), [
  [2.1, 3],
  [-2.1, -2],
  [null, null],
]);
given("ceil of decimals", decimal(2, 1).nullable(), (a) => a.ceil(), [["9.9", "10"]]);
given("trunc", F, (a) => a.trunc(), [
  [-2.7, -2],
  [2.7, 2],
  [Infinity, Infinity],
]);
given("trunc of whole numbers", I, (a) => a.trunc(), [[5, 5n]]);
given("sqrt", F, (a) => a.sqrt(), [
  [9, 3],
  [-1, Number.NaN],
  [Number.NaN, Number.NaN],
  [Infinity, Infinity],
  [0, 0],
  [null, null],
]);
given("sqrt of a longer expression", F, (a) => a.add(1).sqrt(), [
  [8, 3],
  [-2, Number.NaN],
  [null, null],
]);
given("cbrt", F, (a) => a.cbrt(), [
  [27, nearly(3)],
  [-8, -2],
]);
given("exp", F, (a) => a.exp(), [
  [0, 1],
  [1000, Infinity],
  [-Infinity, 0],
]);
given("ln", F, (a) => a.ln(), [
  [1, 0],
  [0, -Infinity],
  [-1, Number.NaN],
  [Infinity, Infinity],
  [Number.NaN, Number.NaN],
  [null, null],
]);
given("log10", F, (a) => a.log10(), [
  [1000, 3],
  [0, -Infinity],
  [-1, Number.NaN],
]);
given("log2", F, (a) => a.log2(), [
  [1024, 10],
  [0, -Infinity],
]);
given("pow", [F, F], (a, b) => a.pow(b), [
  [[2, 10], 1024],
  [[-8, 1 / 3], Number.NaN],
  [[0, -1], Infinity],
  [[2, 0.5], Math.SQRT2],
]);
given("sin", F, (a) => a.sin(), [
  [0, 0],
  [Math.PI / 2, 1],
  [Infinity, Number.NaN],
  [null, null],
]);
given("cos", F, (a) => a.cos(), [
  [0, 1],
  [-Infinity, Number.NaN],
]);
given("tan", F, (a) => a.tan(), [
  [0, 0],
  [Math.PI / 4, nearly(1)],
  [Infinity, Number.NaN],
]);
given("asin", F, (a) => a.asin(), [
  [1, Math.PI / 2],
  [2, Number.NaN],
  [Number.NaN, Number.NaN],
]);
given("acos", F, (a) => a.acos(), [
  [-1, Math.PI],
  [-2, Number.NaN],
  [null, null],
]);
given("atan", F, (a) => a.atan(), [
  [Infinity, Math.PI / 2],
  [1, Math.PI / 4],
]);
given("atan2", [F, F], (a, b) => a.atan2(b), [
  [[1, -1], nearly((3 * Math.PI) / 4)],
  [[0, 1], 0],
]);
given("sinh", F, (a) => a.sinh(), [
  [0, 0],
  [1, nearly(Math.sinh(1))],
]);
given("cosh", F, (a) => a.cosh(), [
  [0, 1],
  [1, nearly(Math.cosh(1))],
]);
given("tanh", F, (a) => a.tanh(), [
  [0, 0],
  [Infinity, 1],
]);
given("isNaN", F, (a) => a.isNaN(), [
  [Number.NaN, true],
  [Infinity, false],
  [null, null],
]);
given("isFinite", F, (a) => a.isFinite(), [
  [1, true],
  [Number.NaN, false],
  [-Infinity, false],
]);
given("clip", F, (a) => a.clip(0, 10), [
  [12, 10],
  [-1, 0],
  [5, 5],
  [null, null],
  [Number.NaN, 10],
]);
given("clip between columns", [I, I, I], (a, b, c) => a.clip(b, c), [
  [[5, 1, 3], 3],
  [[5, null, 3], null],
]);
given("bitAnd", [I, I], (a, b) => a.bitAnd(b), [
  [[6, 3], 2n],
  [[-1, 255], 255n],
]);
given("bitOr", I, (a) => a.bitOr(3), [
  [6, 7n],
  [null, null],
]);
given("bitXor", I, (a) => a.bitXor(3), [[6, 5n]]);
given("format of floats", F, (a) => a.format({ digits: 2, thousands: true }), [
  [1234567.891, "1,234,567.89"],
  [-0.5, "-0.50"],
  [Number.NaN, "NaN"],
  [-Infinity, "-Infinity"],
  [0.125, "0.12"],
  [null, null],
]);
given("format of whole numbers", L, (a) => a.format({ digits: 0, thousands: true }), [
  [MIN, "-9,223,372,036,854,775,808"],
  [999n, "999"],
  [-1000n, "-1,000"],
  [0n, "0"],
]);
given("format of decimals", decimal(38, 2).nullable(), (a) => a.format({ digits: 1, thousands: true }), [
  ["123456789012345678901234567890123456.75", "123,456,789,012,345,678,901,234,567,890,123,456.8"],
  ["-0.05", "-0.1"],
]);

// Texts.
given("lower", T, (a) => a.lower(), [
  ["ÀÉB", "àéb"],
  ["", ""],
  ["😀A", "😀a"],
  [null, null],
]);
given("upper", T, (a) => a.upper(), [
  ["àéb", "ÀÉB"],
  ["😀a", "😀A"],
]);
given("trim", T, (a) => a.trim(), [
  ["\t\u00a0 a b\u3000\n", "a b"],
  ["", ""],
  [" ", ""],
  ["\ufeffx\u2028", "x"],
  [null, null],
]);
given("trim of characters", T, (a) => a.trim("-😀"), [
  ["-😀a-", "a"],
  ["-- ", " "],
]);
given("trimStart", T, (a) => a.trimStart(), [["  a ", "a "]]);
given("trimEnd", T, (a) => a.trimEnd("/"), [["a//", "a"]]);
given("slice", T, (a) => a.slice(1, -1), [
  ["a😀bc", "😀b"],
  ["ab", ""],
  ["a", ""],
  ["", ""],
  ["e\u0301😀x", "\u0301😀"],
  [null, null],
]);
given("slice from the end", T, (a) => a.slice(-2), [
  ["abc", "bc"],
  ["a", "a"],
  ["", ""],
  ["x😀y", "😀y"],
]);
given("slice to zero", T, (a) => a.slice(0, 0), [["abc", ""]]);
given("slice beyond", T, (a) => a.slice(5, 9), [
  ["abc", ""],
  ["abcdefghij", "fghi"],
]);
given("slice backwards", T, (a) => a.slice(2, 1), [["abc", ""]]);
given("slice far below", T, (a) => a.slice(-9, -2), [
  ["abc", "a"],
  ["a", ""],
]);
given("length", T, (a) => a.length(), [
  ["a😀", 2],
  ["", 0],
  ["e\u0301", 2],
  [null, null],
]);
given("contains", [T, T], (a, b) => a.contains(b), [
  [["abc", "b"], true],
  [["abc", ""], true],
  [["", "a"], false],
  [["x😀", "😀"], true],
  [["a%c", "%"], true],
  [["abc", null], null],
]);
given("startsWith", T, (a) => a.startsWith("😀"), [
  ["😀a", true],
  ["a😀", false],
  ["", false],
  [null, null],
]);
given("endsWith", T, (a) => a.endsWith("c"), [
  ["abc", true],
  ["", false],
]);
given("indexOf", [T, T], (a, b) => a.indexOf(b), [
  [["a😀b", "b"], 2],
  [["abc", "z"], -1],
  [["abc", ""], 0],
  [[null, "a"], null],
]);
given("like", T, (a) => a.like("a_\\%%"), [
  ["ab%cd", true],
  ["a😀%", true],
  ["abc", false],
  [null, null],
]);
given("matches", T, (a) => a.matches(/^\d+[a-z]$/i), [
  ["12X", true],
  ["١a", false],
  ["12", false],
  ["1a\n", false],
  [null, null],
]);
given("matches with a dot", T, (a) => a.matches(/^.$/), [
  ["😀", true],
  ["\n", false],
  ["\u2028", false],
  ["", false],
]);
given("matches over lines", T, (a) => a.matches(/^b$/m), [
  ["a\nb", true],
  ["ab", false],
]);
given("matches white space", T, (a) => a.matches(/^\s$/), [
  ["\u00a0", true],
  ["\v", true],
  ["a", false],
]);
given("matches a class", T, (a) => a.matches(/^[^\s\]\-a-c[]+$/), [
  ["xyz", true],
  ["a", false],
  ["]", false],
  [" ", false],
  ["-", false],
]);
given("matches code points", T, (a) => a.matches(/^\u{1F600}[\u{1F600}-\u{1F64F}]$/u), [
  ["😀😁", true],
  ["😀a", false],
]);
given("matches properties", T, (a) => a.matches(/^\p{Lu}\p{Script=Greek}$/u), [
  ["Éα", true],
  ["éα", false],
]);
given("matches given as text", T, (a) => a.matches("a.c"), [
  ["xabcx", true],
  ["ac", false],
]);
given("extract", T, (a) => a.extract(/([a-z]+)-(?<number>\d+)/, "number"), [
  ["inv-17", "17"],
  ["none", null],
  ["", null],
  [null, null],
]);
given("extract of a group that took no part", T, (a) => a.extract(/(a)?b/, 1), [
  ["b", ""],
  ["ab", "a"],
  ["c", null],
]);
given("extract of a longer expression", T, (a) => a.lower().extract(/x(.)/, 1), [
  ["XY", "y"],
  ["a", null],
  [null, null],
]);
given("extractAll", T, (a) => a.extractAll(/\d+/), [
  ["a1b22", ["1", "22"]],
  ["a", []],
  [null, null],
]);
given("replace", T, (a) => a.replace(".", "\\1"), [
  ["a.b.c", "a\\1b.c"],
  ["abc", "abc"],
  [null, null],
]);
given("replace by a pattern", T, (a) => a.replace(/(\w+) (\w+)/, "$2 $1$$"), [["ab cd ef", "cd ab$ ef"]]);
given("replaceAll", T, (a) => a.replaceAll("aa", "b"), [
  ["aaaaa", "bba"],
  ["", ""],
]);
given("replaceAll by a pattern", T, (a) => a.replaceAll(/(?<d>\d)/, "<$<d>>$&"), [["1a2", "<1>1a<2>2"]]);
given("split", T, (a) => a.split("."), [
  ["a.b.", ["a", "b", ""]],
  ["", [""]],
  ["abc", ["abc"]],
  [null, null],
]);
given("split into code points", T, (a) => a.split(""), [
  ["a😀\u0301", ["a", "😀", "\u0301"]],
  ["", []],
  [null, null],
]);
given("split by a pattern", T, (a) => a.split(/\s*,\s*/), [["a , b,c", ["a", "b", "c"]]]);
given("concat", [T, T], (a, b) => a.concat("-", b), [
  [["a", "b"], "a-b"],
  [["", ""], "-"],
  [["a", null], null],
]);
given("padStart", T, (a) => a.padStart(4, "😀"), [
  ["ab", "😀😀ab"],
  ["abcdef", "abcdef"],
  ["", "😀😀😀😀"],
  [null, null],
]);
given("padEnd", T, (a) => a.padEnd(3, "xy"), [
  ["a", "axy"],
  ["abcd", "abcd"],
]);
given("repeat", T, (a) => a.repeat(2), [
  ["ab", "abab"],
  ["", ""],
  [null, null],
]);
given("repeat no times", T, (a) => a.repeat(0), [["ab", ""]]);
given("reverse", T, (a) => a.reverse(), [
  ["a😀b", "b😀a"],
  ["e\u0301", "\u0301e"],
  ["", ""],
  [null, null],
]);
given("text with NUL and quotes", T, (a) => a.eq("a\0'b"), [
  ["a\0'b", true],
  ["a", false],
]);
given("parseDate", T, (a) => a.parseDate("%d.%m.%Y"), [
  ["31.01.2026", "2026-01-31"],
  [null, null],
]);
given("tryParseDate", T, (a) => a.tryParseDate("%d.%m.%Y"), [
  ["31.02.2026", null],
  ["x", null],
  ["29.02.2024", "2024-02-29"],
]);
given("parseTimestamp", T, (a) => a.parseTimestamp("%d/%m/%Y %H:%M:%S.%f"), [
  ["31/01/2026 10:30:15.25", "2026-01-31T10:30:15.25"],
]);
given("tryParseTimestamp", T, (a) => a.tryParseTimestamp("%Y-%m-%d %H"), [
  ["2026-01-31 25", null],
  ["2026-01-31 23", "2026-01-31T23:00:00"],
]);

// Days and times.
const days: readonly Example[] = [
  ["2026-02-01", 0],
  ["2024-12-30", 0],
  ["2027-01-01", 0],
  ["1969-12-31", 0],
  ["2024-02-29", 0],
  [null, null],
];
const parts: Readonly<Record<string, readonly number[]>> = {
  year: [2026, 2024, 2027, 1969, 2024],
  quarter: [1, 4, 1, 4, 1],
  month: [2, 12, 1, 12, 2],
  week: [5, 1, 53, 1, 9],
  weekYear: [2026, 2025, 2026, 1970, 2024],
  day: [1, 30, 1, 31, 29],
  weekday: [7, 1, 5, 3, 4],
  dayOfYear: [32, 365, 1, 365, 60],
};
for (const [name, values] of Object.entries(parts)) {
  const examples = days.map(([day], index): Example => [day, values[index] ?? null]);
  given(name, D, (a) => a[name](), examples);
  given(
    `${name} of a timestamptz`,
    TZ,
    (a) => a[name](),
    examples.map(([day, gives]): Example => [day === null ? null : `${String(day)}T23:59:59.999999Z`, gives]),
  );
}
for (const [name, value] of Object.entries({
  hour: 23,
  minute: 59,
  second: 58,
  millisecond: 123,
  microsecond: 123_456,
})) {
  given(name, TS, (a) => a[name](), [
    ["2026-01-31T23:59:58.123456", value],
    ["1969-12-31T23:59:58.123456", value],
    ["2026-01-31T00:00:00", 0],
    [null, null],
  ]);
  given(`${name} of a time`, time().nullable(), (a) => a[name](), [
    ["23:59:58.123456", value],
    [null, null],
  ]);
}
given("date", TS, (a) => a.date(), [
  ["2026-01-31T23:59:59", "2026-01-31"],
  ["1969-12-31T23:59:59", "1969-12-31"],
  [null, null],
]);
given("date of a timestamptz", TZ, (a) => a.date(), [["2026-01-31T23:30:00-02:00", "2026-02-01"]]);
given("time", TS, (a) => a.time(), [["2026-01-31T10:30:15.5", "10:30:15.5"]]);
given("time of a timestamptz", TZ, (a) => a.time(), [["2026-01-31T10:30:00+02:00", "08:30:00"]]);
given("trunc to weeks", D, (a) => a.trunc("week"), [
  ["2026-02-01", "2026-01-26"],
  ["2026-02-02", "2026-02-02"],
  ["1970-01-01", "1969-12-29"],
  [null, null],
]);
given("trunc to quarters", TS, (a) => a.trunc("quarter"), [["2026-05-31T10:30:00", "2026-04-01T00:00:00"]]);
given("trunc to milliseconds", TS, (a) => a.trunc("millisecond"), [
  ["2026-01-31T10:30:15.123456", "2026-01-31T10:30:15.123"],
  ["1969-12-31T23:59:59.9999", "1969-12-31T23:59:59.999"],
]);
given("trunc of a timestamptz", TZ, (a) => a.trunc("day"), [
  ["2026-02-01T00:30:00+02:00", "2026-01-31T00:00:00Z"],
]);
given("add of months", D, (a) => a.add({ months: 1 }), [
  ["2026-01-31", "2026-02-28"],
  ["2023-12-15", "2024-01-15"],
  ["2024-01-31", "2024-02-29"],
  [null, null],
]);
given("add of months and days, in this order", D, (a) => a.add({ months: 1, days: 1 }), [
  ["2026-01-31", "2026-03-01"],
]);
given("add of years", D, (a) => a.add({ years: -1 }), [["2024-02-29", "2023-02-28"]]);
given("add of hours", TS, (a) => a.add({ hours: 25, microseconds: 1 }), [
  ["2026-01-31T00:00:00", "2026-02-01T01:00:00.000001"],
]);
given("add to a timestamptz", TZ, (a) => a.add({ days: 1 }), [
  ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"],
]);
given("diff of months", [D, D], (a, b) => a.diff(b, "month"), [
  [["2026-03-01", "2026-01-31"], 1],
  [["2026-01-30", "2026-02-28"], -1],
  [["2026-03-31", "2026-01-31"], 2],
  [["2026-01-01", null], null],
]);
given("diff of days", [TS, TS], (a, b) => a.diff(b, "day"), [
  [["2026-01-31T10:00:00", "2026-01-30T11:00:00"], 0],
  [["2026-01-30T10:00:00", "2026-01-31T11:00:00"], -1],
]);
given("diff of weeks", [D, D], (a, b) => a.diff(b, "week"), [
  [["2026-01-15", "2026-01-01"], 2],
  [["2026-01-14", "2026-01-01"], 1],
]);
given("diff of milliseconds", [TZ, TZ], (a, b) => a.diff(b, "millisecond"), [
  [["2026-01-31T10:00:00.0019Z", "2026-01-31T12:00:00+02:00"], 1],
]);
given("format of dates", D, (a) => a.format("%d.%m.%y %j %G-W%V-%u %a %B %%'"), [
  ["2027-01-01", "01.01.27 001 2026-W53-5 Fri January %'"],
  [null, null],
]);
given("format of timestamps", TS, (a) => a.format("%H:%M:%S.%f %I %p"), [
  ["2026-01-31T15:04:05.6", "15:04:05.600000 03 PM"],
]);
given("toTimeZone", TZ, (a) => a.toTimeZone("Europe/Berlin"), [
  ["2026-07-01T10:00:00Z", "2026-07-01T12:00:00"],
  ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00"],
  [null, null],
]);
given("fromTimeZone", TS, (a) => a.fromTimeZone("Europe/Berlin"), [
  ["2026-07-01T12:00:00", "2026-07-01T10:00:00Z"],
  ["2026-03-29T02:30:00", "2026-03-29T01:30:00Z"],
  ["2026-10-25T02:30:00", "2026-10-25T01:30:00Z"],
]);
given("epoch", TS, (a) => a.epoch("second"), [
  ["1969-12-31T23:59:59.5", -1n],
  ["1970-01-01T00:00:01.999999", 1n],
  ["1970-01-01T00:00:00", 0n],
  [null, null],
]);
given("epoch of dates", D, (a) => a.epoch("millisecond"), [["1969-12-31", -86_400_000n]]);
given("epoch in microseconds", TZ, (a) => a.epoch("microsecond"), [
  ["2026-01-31T10:00:00.000001+00:00", 1_769_853_600_000_001n],
]);
given("fromEpoch", L, (a) => a.fromEpoch("millisecond"), [
  [-1n, "1969-12-31T23:59:59.999Z"],
  [0n, "1970-01-01T00:00:00Z"],
  [null, null],
]);
given("timeBucket", TS, (a) => a.timeBucket("15m"), [
  ["2026-01-31T10:29:59.999999", "2026-01-31T10:15:00"],
  ["2026-01-31T10:30:00", "2026-01-31T10:30:00"],
  ["1969-12-31T23:59:00", "1969-12-31T23:45:00"],
  [null, null],
]);
given("timeBucket with an origin", TZ, (a) => a.timeBucket("1h", "2026-01-01T00:30:00Z"), [
  ["2026-01-31T10:29:00Z", "2026-01-31T09:30:00Z"],
]);
given("timeBucket of dates", D, (a) => a.timeBucket("7d"), [
  ["2026-01-31", "2026-01-29"],
  ["1969-12-31", "1969-12-25"],
]);

given("stepsTo", D, (a) => a.stepsTo("2026-02-02", "1d"), [
  ["2026-01-31", ["2026-01-31", "2026-02-01", "2026-02-02"]],
  ["2026-02-03", []],
  [null, null],
]);
given("stepsTo by months", TZ, (a) => a.stepsTo("2026-04-15T00:00:00Z", "month"), [
  ["2026-01-31T00:00:00Z", ["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]],
]);

// Lists, structs and JSON.
given("length of lists", LI, (a) => a.length(), [
  [[1, null], 2],
  [[], 0],
  [null, null],
]);
given("get", LI, (a) => a.get(1), [
  [[1, 2, 3], 2],
  [[1], null],
  [[1, null], null],
  [[], null],
  [null, null],
]);
given("get from the end", LI, (a) => a.get(-2), [
  [[1, 2, 3], 2],
  [[1], null],
]);
given("contains in lists", [LI, I], (a, b) => a.contains(b), [
  [[[1, 2], 2], true],
  [[[1, null], 5], false],
  [[[], 1], false],
  [[null, 1], null],
  [[[1], null], null],
]);
given("slice of lists", LI, (a) => a.slice(1, -1), [
  [
    [1, 2, 3, 4],
    [2, 3],
  ],
  [[1], []],
  [[], []],
  [null, null],
]);
given("slice of lists from the end", LI, (a) => a.slice(-2), [
  [
    [1, 2, 3],
    [2, 3],
  ],
  [[1], [1]],
]);
given("sort of lists", LI, (a) => a.sort(), [
  [
    [3, null, 1],
    [1, 3, null],
  ],
  [[], []],
  [null, null],
]);
given("distinct of lists", LI, (a) => a.distinct(), [
  [
    [3, 1, null, 3],
    [1, 3],
  ],
  [[], []],
  [null, null],
]);
given("listSum", LI, (a) => a.listSum(), [
  [[2 ** 31 - 1, 1, null], 2n ** 31n],
  [[], null],
  [[null], null],
  [null, null],
]);
given("listMean", LI, (a) => a.listMean(), [
  [[1, 2, null], 1.5],
  [[], null],
]);
given("listMin", LI, (a) => a.listMin(), [
  [[3, null, 1], 1],
  [[], null],
]);
given("listMax", list(text()).nullable(), (a) => a.listMax(), [
  [["a", "😀"], "😀"],
  [[], null],
]);
given("join of lists", list(text().nullable()).nullable(), (a) => a.join(", "), [
  [["a", null, "b"], "a, b"],
  [[], ""],
  [[""], ""],
  [null, null],
]);
given("eq of lists", [LI, LI], (a, b) => a.eq(b), [
  [
    [
      [1, 2],
      [1, 2],
    ],
    true,
  ],
  [[[1], [1, 2]], false],
]);
const person = struct({ name: text(), 'a"b': int32().nullable() }).nullable();
given("field", person, (a) => a.field("name"), [
  [{ name: "Ada", 'a"b': null }, "Ada"],
  [null, null],
]);
given("field with quotes", person, (a) => a.field('a"b'), [
  [{ name: "x", 'a"b': 5 }, 5],
  [{ name: "x", 'a"b': null }, null],
]);
const J = json().nullable();
given("at", J, (a) => a.at("a", 0, "b"), [
  [{ a: [{ b: { c: 1 } }] }, { c: 1 }],
  [{ a: [] }, null],
  [{ a: [{ b: null }] }, null],
  [[], null],
  [null, null],
]);
given("at with odd names", J, (a) => a.at('a/b~c."$'), [
  [{ 'a/b~c."$': 1 }, 1],
  [{}, null],
]);
given("at with the empty name", J, (a) => a.at(""), [[{ "": "x" }, "x"]]);
given("cast of JSON to whole numbers", J, (a) => a.tryCast(int64()), [
  [9007199254740991, 9007199254740991n],
  [1.5, null],
  ["1", null],
  [true, null],
  [{}, null],
  [null, null],
]);
given("cast of JSON to floats", J, (a) => a.tryCast(float64()), [
  [1.5, 1.5],
  [2, 2],
  ["1.5", null],
]);
given("cast of JSON to texts", J, (a) => a.cast(text()), [
  ['a"b', 'a"b'],
  [1, "1"],
  [[1, 2], "[1,2]"],
  [true, "true"],
]);
given("cast of JSON to truth", J, (a) => a.tryCast(bool()), [
  [true, true],
  [false, false],
  [1, null],
  ["true", null],
]);
given("cast of JSON to decimals", J, (a) => a.tryCast(decimal(5, 2)), [
  ["1.25", "1.25"],
  [1.5, "1.50"],
  [1.255, null],
  ["x", null],
]);
given("cast of JSON to dates", J, (a) => a.tryCast(date()), [
  ["2026-01-31", "2026-01-31"],
  ["2026-02-31", null],
  [2026, null],
]);
given("cast of JSON to lists", J, (a) => a.cast(list(int32())), [
  [
    [1, 2],
    [1, 2],
  ],
  [[], []],
  [null, null],
]);

// Casts of texts.
given("text to int32", T, (a) => a.tryCast(int32()), [
  ["42", 42],
  [" -7 ", -7],
  ["+5", 5],
  ["1.6", null],
  ["1e3", null],
  ["1_000", null],
  ["0x1F", null],
  ["", null],
  ["2147483648", null],
  ["-2147483648", -(2 ** 31)],
  [null, null],
]);
given("text to int64", T, (a) => a.tryCast(int64()), [
  ["9223372036854775807", MAX],
  ["9223372036854775808", null],
]);
given("text to uint64", T, (a) => a.tryCast(uint64()), [
  ["18446744073709551615", 2n ** 64n - 1n],
  ["-1", null],
]);
given("text to float64", T, (a) => a.tryCast(float64()), [
  ["1.5", 1.5],
  ["-1e3", -1000],
  [".5", 0.5],
  ["NaN", Number.NaN],
  ["-Infinity", -Infinity],
  ["inf", null],
  ["1_0", null],
  ["abc", null],
]);
given("text to decimal", T, (a) => a.tryCast(decimal(5, 2)), [
  ["1.5", "1.50"],
  ["1.500", "1.50"],
  ["1.005", null],
  ["1000", null],
  ["-999.99", "-999.99"],
  ["1e2", null],
]);
given("text to bool", T, (a) => a.tryCast(bool()), [
  ["true", true],
  ["false", false],
  ["t", null],
  ["1", null],
  ["yes", null],
]);
given("text to date", T, (a) => a.tryCast(date()), [
  ["2026-01-31", "2026-01-31"],
  ["2026-02-30", null],
  ["2026-1-5", null],
  ["31.01.2026", null],
]);
given("text to timestamp", T, (a) => a.tryCast(timestamp()), [
  ["2026-01-31T10:30:00.123456", "2026-01-31T10:30:00.123456"],
  ["2026-01-31 10:30", "2026-01-31T10:30:00"],
  ["2026-01-31", "2026-01-31T00:00:00"],
  ["2026-01-31T10:30:00Z", null],
  ["2026-01-31T10:30:00+02:00", null],
]);
given("text to timestamptz", T, (a) => a.tryCast(timestamptz()), [
  ["2026-01-31T10:30:00+02:00", "2026-01-31T08:30:00Z"],
  ["2026-01-31T10:30:00Z", "2026-01-31T10:30:00Z"],
]);
given("text to time", T, (a) => a.tryCast(time()), [
  ["10:30", "10:30:00"],
  ["25:00", null],
]);
given("text to uuid", T, (a) => a.tryCast(uuid()), [
  ["550E8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"],
  ["550e8400e29b41d4a716446655440000", null],
]);
given("text to bytes and back", T, (a) => a.cast(bytes()).cast(text()), [
  ["\\x41é", "\\x41é"],
  ["", ""],
]);
given("text to json", T, (a) => a.tryCast(json()), [
  ['{"a":1}', { a: 1 }],
  ["{bad", null],
  ["nan", null],
  ["[1,]", null],
  ["[-Infinity]", null],
  ['{"Na\\"N,]": [true, null, 1e5]}', { 'Na"N,]': [true, null, 1e5] }],
]);

// Casts of others.
given("float to int32", F, (a) => a.tryCast(int32()), [
  [2, 2],
  [2.5, null],
  [-0, 0],
  [Number.NaN, null],
  [Infinity, null],
  [2 ** 31, null],
  [null, null],
]);
given("float to int64 at its end", F, (a) => a.tryCast(int64()), [
  [2 ** 63, null],
  [-(2 ** 63), MIN],
]);
given("round, then cast", F, (a) => a.round().cast(int64()), [
  [2.5, 3n],
  [-2.5, -3n],
]);
given("float to decimal", F, (a) => a.tryCast(decimal(4, 1)), [
  [0.1, "0.1"],
  [1000, null],
  [Number.NaN, null],
]);
given("float64 to float32", F, (a) => a.tryCast(float32()), [
  [0.5, 0.5],
  [0.1, Math.fround(0.1)],
  [1e300, null],
]);
given("float32 to float64", float32().nullable(), (a) => a.cast(float64()), [[0.1, Math.fround(0.1)]]);
given("decimal to int32", decimal(4, 1).nullable(), (a) => a.tryCast(int32()), [
  ["2.0", 2],
  ["2.5", null],
  ["-3.0", -3],
]);
given("decimal to fewer digits", decimal(5, 3).nullable(), (a) => a.tryCast(decimal(3, 1)), [
  ["1.500", "1.5"],
  ["1.550", null],
  ["99.900", "99.9"],
]);
given("decimal to more digits", decimal(3, 1).nullable(), (a) => a.cast(decimal(10, 4)), [["1.5", "1.5000"]]);
given("decimal to float64", decimal(3, 1).nullable(), (a) => a.cast(float64()), [["1.5", 1.5]]);
given("int64 to int8", L, (a) => a.tryCast(int8()), [
  [127n, 127],
  [128n, null],
  [-128n, -128],
]);
given("int32 to uint8", I, (a) => a.tryCast(uint8()), [
  [255, 255],
  [-1, null],
  [256, null],
]);
given("uint64 to int64", uint64().nullable(), (a) => a.tryCast(int64()), [
  [2n ** 63n, null],
  [5n, 5n],
]);
given("int64 to float64", L, (a) => a.cast(float64()), [
  [5n, 5],
  [2n ** 53n + 1n, 2 ** 53],
]);
given("int32 to decimal", I, (a) => a.tryCast(decimal(3, 1)), [
  [99, "99.0"],
  [100, null],
]);
given("bool to int32", B, (a) => a.cast(int32()), [
  [true, 1],
  [false, 0],
  [null, null],
]);
given("bool to float64", B, (a) => a.cast(float64()), [[true, 1]]);
given("bool to text", B, (a) => a.cast(text()), [
  [true, "true"],
  [false, "false"],
]);
given("int64 to text", L, (a) => a.cast(text()), [
  [MIN, "-9223372036854775808"],
  [0n, "0"],
]);
given("decimal to text", decimal(5, 2).nullable(), (a) => a.cast(text()), [
  ["1.50", "1.50"],
  ["-0.05", "-0.05"],
]);
given("date to text", D, (a) => a.cast(text()), [["2026-01-31", "2026-01-31"]]);
given("timestamp to text", TS, (a) => a.cast(text()), [["2026-01-31T10:30:00", "2026-01-31T10:30:00"]]);
given("timestamptz to text", TZ, (a) => a.cast(text()), [["2026-01-31T10:30:00Z", "2026-01-31T10:30:00Z"]]);
given("time to text", time().nullable(), (a) => a.cast(text()), [["10:30:00", "10:30:00"]]);
given("uuid to text", uuid().nullable(), (a) => a.cast(text()), [
  ["550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"],
]);
given("bytes to text", bytes().nullable(), (a) => a.tryCast(text()), [
  [new Uint8Array([0xc3, 0xa9]), "é"],
  [new Uint8Array([0xff]), null],
]);
given("date to timestamp", D, (a) => a.cast(timestamp()), [["2026-01-31", "2026-01-31T00:00:00"]]);
given("list to json", LI, (a) => a.cast(json()), [
  [
    [1, null],
    [1, null],
  ],
]);
given("int16 to int32", int16().nullable(), (a) => a.cast(int32()), [[-5, -5]]);

/** The hash of a text by its definition. */
function hashOf(given: string): bigint {
  return BigInt(`0x${md5(given).slice(0, 15)}`);
}

function md5(given: string): string {
  return createHash("md5").update(given).digest("hex");
}

/** What fails when it runs: an expression of one column, a value of it, and what the error must say. */
const failures: readonly (readonly [
  name: string,
  type: ColumnType,
  value: unknown,
  make: (column: Loose) => Loose,
  says: RegExp,
])[] = [
  ["int64 overflow of add", int64(), MAX, (c) => c.add(1), /overflow|range/i],
  ["int64 overflow of sub", int64(), MIN, (c) => c.sub(1), /overflow|range/i],
  ["int64 overflow of mul", int64(), 2n ** 62n, (c) => c.mul(2), /overflow|range/i],
  ["int64 overflow of neg", int64(), MIN, (c) => c.neg(), /overflow|range/i],
  ["int64 overflow of abs", int64(), MIN, (c) => c.abs(), /overflow|range/i],
  ["int64 overflow of intDiv", int64(), MIN, (c) => c.intDiv(-1), /overflow|range/i],
  ["int64 overflow of round", int64(), MAX, (c) => c.round(-1), /range|9223372036854775810/i],
  ["uint64 beyond int64 in arithmetic", uint64(), 2n ** 63n, (c) => c.add(0), /9223372036854775808/],
  ["a sum beyond int64", int64(), MAX, (c) => c.sum().over({}).add(c), /overflow|range/i],
  ["decimal overflow", decimal(38, 0), "9".repeat(38), (c) => c.add("1"), /overflow|range|DECIMAL/i],
  ["a text of letters as a number", text(), "abc", (c) => c.cast(int32()), /abc/],
  ["a text with a fraction", text(), "1.6", (c) => c.cast(int32()), /1\.6/],
  ["a text too large", text(), "300", (c) => c.cast(uint8()), /300/],
  ["a day that the month does not have", text(), "2026-02-30", (c) => c.cast(date()), /2026-02-30/],
  ["a float with a fraction", float64(), 2.5, (c) => c.cast(int32()), /2\.5/],
  ["NaN as a whole number", float64(), Number.NaN, (c) => c.cast(int32()), /nan/i],
  ["a decimal with a fraction", decimal(3, 1), "2.5", (c) => c.cast(int32()), /2\.5/],
  ["a decimal that loses digits", decimal(5, 3), "1.005", (c) => c.cast(decimal(5, 2)), /1\.005/],
  ["bytes that are not UTF-8", bytes(), new Uint8Array([0xff]), (c) => c.cast(text()), /UTF/i],
  ["JSON that is not a list", json(), {}, (c) => c.cast(list(int32())), /./],
  ["JSON with an element of another kind", json(), [1, "x"], (c) => c.cast(list(int32())), /x/],
  ["JSON without a field", json(), { a: "x" }, (c) => c.cast(struct({ a: text(), b: int32() })), /b/],
  ["JSON of another kind", json(), "x", (c) => c.cast(int32()), /^PawlError: "\\"x\\"" is not an int32/],
  ["a text that does not fit a pattern", text(), "2026", (c) => c.parseDate("%d.%m.%Y"), /2026/],
  ["a moment out of range", int64(), MAX, (c) => c.fromEpoch("second"), /overflow|range/i],
];

/** The conformance of an engine to the meanings of the functions. */
export function functionConformance(engine: Engine): void {
  test(`${engine.name} gives what each example of the function reference says`, async () => {
    const names = Object.keys(data);
    const made = Object.entries(FUNCTIONS).map(([name, { example }]) => {
      const build = new Function(...names, `return ${example[0]}`) as (...all: unknown[]) => BuiltExpression;
      return { name, expression: build(...Object.values(data)), gives: example[1] };
    });
    const row = await firstRow(
      engine,
      made.map(({ name, expression }) => [name, expression]),
    );
    for (const { name, gives } of made) assert.deepEqual(plain(row.get(name)), gives, name);
  });

  test(`${engine.name} gives the known answers of all functions, of typical values, nulls and extremes`, async () => {
    const height = Math.max(...groups.map(({ examples }) => examples.length));
    const columns = groups.flatMap(({ types }, group) =>
      types.map((type, index) => ({ name: `${group}_${index}`, type })),
    );
    const rows = Array.from({ length: height }, (_, at) =>
      Object.fromEntries(
        groups.flatMap((group, index) =>
          inputsAt(group, at).map((value, place) => [`${index}_${place}`, value]),
        ),
      ),
    );
    const schema: FrameSchema = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
    const outputs = new Map<string, BuiltExpression>();
    const frame = fromRows({ at: int32(), ...schema }, rows.map((row, at) => ({ at, ...row })) as never).with(
      (c) => {
        const loose = c as unknown as Readonly<Record<string, Loose>>;
        for (const [index, { make, types }] of groups.entries())
          outputs.set(
            `out_${index}`,
            make(...types.map((_, place) => loose[`${index}_${place}`])) as BuiltExpression,
          );
        return Object.fromEntries(outputs) as never;
      },
    );
    const found = (await frame.collect({ engine })) as unknown as readonly Readonly<
      Record<string, unknown>
    >[];
    const sorted = [...found].sort((a, b) => Number(a.at) - Number(b.at));
    const wrong: string[] = [];
    for (const [index, { name, examples }] of groups.entries()) {
      const type = outputs.get(`out_${index}`)?.node.type as ColumnType;
      for (const [at, [input, gives]] of examples.entries()) {
        const value = sorted[at]?.[`out_${index}`];
        const problem = problemOf(value, gives, type);
        if (problem !== null) wrong.push(`${name} of ${inspect(input)}: ${problem}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  test(`${engine.name} tries a cast only on rows that the conditions before it let through`, async () => {
    const rows = Array.from({ length: 5000 }, (_, at) => ({
      t: at % 3 === 0 ? `x${at}` : String(at),
      k: at % 3 === 0 ? "bad" : "good",
    }));
    const frame = fromRows({ t: text(), k: text() }, rows);
    const good = frame.filter((c) => c.k.eq("good"));
    const ways = [
      frame
        .with((c) => ({ n: when(c.t.matches(/^\d+$/), c.t.cast(int32())).otherwise(-1) }))
        .filter((c) => c.n.ge(0)),
      good.with((c) => ({ n: c.t.cast(int32()) })).filter((c) => c.n.ge(0)),
      good.filter((c) => c.t.cast(int32()).ge(0)),
      frame.filter((c) => c.k.eq("good").and(c.t.cast(int32()).ge(0))),
      frame.join(fromRows({ k: text() }, [{ k: "good" }]), ["k"]).filter((c) => c.t.cast(int32()).ge(0)),
    ];
    for (const way of ways) assert.equal((await way.collect({ engine })).length, 3333);
  });

  for (const [name, type, value, make, says] of failures)
    test(`${engine.name} fails at ${name}, and names the value`, async () => {
      const frame = fromRows({ x: type }, [{ x: value } as never]).with((c) => ({ y: make(c.x) }) as never);
      await assert.rejects(frame.collect({ engine }), says);
    });
}

/** What is wrong with a value; null where nothing is. */
function problemOf(value: unknown, gives: unknown, type: ColumnType): string | null {
  const isRight =
    typeof gives === "function"
      ? (gives as (value: unknown) => boolean)(value)
      : isDeepStrictEqual(value, gives);
  if (!isRight) return `${inspect(value)}, not ${inspect(gives)}`;
  if (value === null) return type.isNullable ? null : "null, and its type is not nullable";
  return isOf(value, type) ? null : `${inspect(value)}, which is not ${type.kind}`;
}

function inputsAt({ types, examples }: Group, at: number): readonly unknown[] {
  const example = examples[at];
  if (example === undefined) return types.map(() => null);
  return types.length === 1 ? [example[0]] : (example[0] as readonly unknown[]);
}

/** The values of expressions of one row, by name. */
async function firstRow(
  engine: Engine,
  expressions: readonly (readonly [name: string, expression: BuiltExpression])[],
): Promise<ReadonlyMap<string, unknown>> {
  const [row] = await fromRows({ one: int32() }, [{ one: 1 }])
    .with(() => Object.fromEntries(expressions) as never)
    .collect({ engine });
  return new Map(Object.entries((row ?? {}) as object));
}

/** A value as the reference writes it: int64 as text. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Whether a value is one that rows have for a type. */
function isOf(value: unknown, { kind, isSafe }: ColumnType): boolean {
  if (kind === "int64" || kind === "uint64") return typeof value === (isSafe === true ? "number" : "bigint");
  if (kind === "bool") return typeof value === "boolean";
  if (/^(u?int|float)/.test(kind)) return typeof value === "number";
  if (kind === "list") return Array.isArray(value);
  if (kind === "bytes") return value instanceof Uint8Array;
  return kind === "json" || kind === "struct" || typeof value === "string";
}
