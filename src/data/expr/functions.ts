/**
 * The functions of expressions: one table that says what each means, whatever the engine. The builder checks arguments by it, every
 * dialect translates each name of it (the compiler finds a missing one), and the function reference of the docs is written from it.
 */

import * as type from "../schema/column-type.ts";
import { type ColumnType, isFloat, isInteger, type Kind } from "../schema/column-type.ts";

/**
 * What may stand in one place of a call. `like`: what can be compared with the first argument. `same`: a value of the first argument's
 * kind, whose literals take exactly its type. `operand`: a number, whose literals become whole, decimal or floating-point as the first argument is.
 */
export type ArgumentKind =
  | "any"
  | "ordered"
  | "like"
  | "same"
  | "operand"
  | "number"
  | "integer"
  | "float"
  | "text"
  | "bool"
  | "day"
  | "clock"
  | "timestamp"
  | "timestamptz"
  | "moment"
  | "list"
  | "texts"
  | "numbers"
  | "json"
  | "struct";

/** A further setting of a call that is not an expression, such as the part of a date. */
export type CallOption = string | number | boolean | readonly (string | number)[];

/** Settings of a call that are not expressions. */
export type CallSettings = Readonly<Record<string, CallOption>>;

/** In which part of the reference a function stands. */
export type FunctionGroup =
  | "comparison"
  | "logic"
  | "null"
  | "value"
  | "number"
  | "text"
  | "time"
  | "list"
  | "struct and json";

/** What a function is, for the builder and the reference. */
export interface FunctionDescription {
  readonly group: FunctionGroup;
  /** How it is written, for the reference. */
  readonly signature: string;
  /** What it gives, in one or two sentences. */
  readonly meaning: string;
  /** An expression that can be built as it stands, and what it gives, as JSON (int64 as text). */
  readonly example: readonly [code: string, gives: unknown];
  /** Where engines differ from the meaning, and what a dialect does about it. */
  readonly engines?: string;
  /** What each argument must be; the first is what the method is called on. */
  readonly takes: readonly ArgumentKind[];
  /** What further arguments must be, where there may be any number. */
  readonly rest?: ArgumentKind;
  /** The type of its value by the types of its arguments. Its nulls are told by `nullability`. */
  readonly result: (types: readonly ColumnType[], options: CallSettings) => ColumnType;
  /**
   * `any`: null where an argument is null. `never`: never null. `always`: may be null whatever the arguments. `all`: null only where all are.
   * `divisor`: as `any`, and null where the second argument is zero, which a literal other than zero never is.
   * @default "any"
   */
  readonly nullability?: "any" | "never" | "always" | "all" | "divisor";
}

const boolean = () => type.bool();
const int32 = () => type.int32();
const int64 = () => type.int64();
const float = () => type.float64();
const text = () => type.text();
const first = ([one]: readonly ColumnType[]) => one ?? type.text();
const element = ([one]: readonly ColumnType[]) => one?.of ?? type.text();

/** The digits that a whole number may have, by its kind. */
const DIGITS: Partial<Readonly<Record<Kind, number>>> = {
  int8: 3,
  uint8: 3,
  int16: 5,
  uint16: 5,
  int32: 10,
  uint32: 10,
  int64: 19,
  uint64: 20,
};

interface Digits {
  readonly whole: number;
  readonly scale: number;
}

function digitsOf({ kind, precision = 38, scale = 0 }: ColumnType): Digits {
  return kind === "decimal" ? { whole: precision - scale, scale } : { whole: DIGITS[kind] ?? 38, scale: 0 };
}

/** A decimal with as many digits as fit: where whole digits are cut off, a value that needs them is an error, never another value. */
function decimalOf(whole: number, scale: number): ColumnType {
  return type.decimal(Math.min(38, Math.max(whole + scale, 1)), Math.min(38, scale));
}

/** The type of arithmetic: whole numbers become int64, so that they overflow late, and then it is an error. */
const widened =
  (decimals: (left: Digits, right: Digits) => ColumnType) =>
  (types: readonly ColumnType[]): ColumnType => {
    if (types.some(({ kind }) => isFloat(kind))) return type.float64();
    if (types.every(({ kind }) => isInteger(kind))) return type.int64();
    const [left = { whole: 38, scale: 0 }, right = left] = types.map(digitsOf);
    return decimals(left, right);
  };

const sum = widened((left, right) =>
  decimalOf(Math.max(left.whole, right.whole) + 1, Math.max(left.scale, right.scale)),
);
const product = widened((left, right) => decimalOf(left.whole + right.whole, left.scale + right.scale));
const rest = widened((left, right) =>
  decimalOf(Math.max(left.whole, right.whole), Math.max(left.scale, right.scale)),
);
const same = widened((left) => decimalOf(left.whole, left.scale));
const whole = widened((left) => decimalOf(left.whole + 1, 0));

function rounded(types: readonly ColumnType[], { digits = 0 }: CallSettings): ColumnType {
  const scale = Math.max(0, Number(digits));
  return widened((left) => decimalOf(left.whole + 1, Math.min(left.scale, scale)))(types);
}

/** The type that holds values of all of them: the first's, or a decimal with digits enough. */
function common(types: readonly ColumnType[]): ColumnType {
  if (types[0]?.kind !== "decimal") return first(types);
  const all = types.map(digitsOf);
  return decimalOf(Math.max(...all.map((each) => each.whole)), Math.max(...all.map((each) => each.scale)));
}

/** Functions of one row's values. */
export const FUNCTIONS = {
  eq: {
    group: "comparison",
    signature: "x.eq(other)",
    meaning: "Whether both are equal. NaN equals NaN, and -0 equals 0.",
    example: ["lit(2).eq(2)", true],
    engines:
      "DuckDB and Spark agree on NaN; numbers of different kinds are compared as float64 where one is floating-point.",
    takes: ["any", "like"],
    result: boolean,
  },
  ne: {
    group: "comparison",
    signature: "x.ne(other)",
    meaning: "Whether both differ.",
    example: ['lit("a").ne("b")', true],
    takes: ["any", "like"],
    result: boolean,
  },
  lt: {
    group: "comparison",
    signature: "x.lt(other)",
    meaning:
      "Whether it is smaller. Texts are compared by code points, false is smaller than true, NaN is larger than all numbers.",
    example: ['lit("B").lt("a")', true],
    takes: ["ordered", "like"],
    result: boolean,
  },
  le: {
    group: "comparison",
    signature: "x.le(other)",
    meaning: "Whether it is smaller, or both are equal.",
    example: ["lit(2).le(2)", true],
    takes: ["ordered", "like"],
    result: boolean,
  },
  gt: {
    group: "comparison",
    signature: "x.gt(other)",
    meaning: "Whether it is larger.",
    example: ["lit(NaN).gt(1)", true],
    takes: ["ordered", "like"],
    result: boolean,
  },
  ge: {
    group: "comparison",
    signature: "x.ge(other)",
    meaning: "Whether it is larger, or both are equal.",
    example: ["lit(2).ge(3)", false],
    takes: ["ordered", "like"],
    result: boolean,
  },
  between: {
    group: "comparison",
    signature: "x.between(low, high)",
    meaning: "Whether it lies between two values, both included.",
    example: ["lit(3).between(1, 3)", true],
    takes: ["ordered", "like", "like"],
    result: boolean,
  },
  eqNull: {
    group: "comparison",
    signature: "x.eqNull(other)",
    meaning: "Whether both are equal, where nulls are equal to each other.",
    example: ["lit(null, int32()).eqNull(lit(null, int32()))", true],
    engines: "DuckDB: `IS NOT DISTINCT FROM`; Spark: `<=>`.",
    takes: ["any", "like"],
    result: boolean,
    nullability: "never",
  },
  in: {
    group: "comparison",
    signature: "x.in(values)",
    meaning: "Whether it is one of some values; of none it is false.",
    example: ['lit("a").in(["a", "b"])', true],
    takes: ["any"],
    rest: "like",
    result: boolean,
  },
  notIn: {
    group: "comparison",
    signature: "x.notIn(values)",
    meaning: "Whether it is none of some values.",
    example: ['lit("a").notIn(["a", "b"])', false],
    takes: ["any"],
    rest: "like",
    result: boolean,
  },
  and: {
    group: "logic",
    signature: "x.and(other)",
    meaning: "Whether both are true: false where one is false, and otherwise null where one is null.",
    example: ["lit(null, bool()).and(false)", false],
    takes: ["bool", "bool"],
    result: boolean,
  },
  or: {
    group: "logic",
    signature: "x.or(other)",
    meaning: "Whether one of them is true: true where one is true, and otherwise null where one is null.",
    example: ["lit(null, bool()).or(true)", true],
    takes: ["bool", "bool"],
    result: boolean,
  },
  not: {
    group: "logic",
    signature: "x.not()",
    meaning: "Whether it is false.",
    example: ["lit(true).not()", false],
    takes: ["bool"],
    result: boolean,
  },
  isNull: {
    group: "null",
    signature: "x.isNull()",
    meaning: "Whether it is null. NaN is a number, and the empty text a text.",
    example: ['lit("").isNull()', false],
    takes: ["any"],
    result: boolean,
    nullability: "never",
  },
  isNotNull: {
    group: "null",
    signature: "x.isNotNull()",
    meaning: "Whether it is not null.",
    example: ["lit(0).isNotNull()", true],
    takes: ["any"],
    result: boolean,
    nullability: "never",
  },
  coalesce: {
    group: "null",
    signature: "x.fillNull(other), coalesce(x, …)",
    meaning: "The first of them that is not null. All must be of one kind.",
    example: ['coalesce(lit(null, text()), lit(null, text()), "c")', "c"],
    takes: ["any"],
    rest: "same",
    result: common,
    nullability: "all",
  },
  nullIf: {
    group: "null",
    signature: "x.nullIf(value)",
    meaning: "Null where it equals the value, otherwise itself.",
    example: ['lit("-").nullIf("-")', null],
    takes: ["any", "same"],
    result: first,
    nullability: "always",
  },
  map: {
    group: "value",
    signature: "x.map({ a: 1, b: 2 }, otherwise)",
    meaning:
      "The value that stands beside it in an object or a Map; `otherwise`, or null without it, where it is none of the keys, also for null. Numbers become float64, bigints int64.",
    example: ['lit("de").map({ de: "Germany", fr: "France" }, "?")', "Germany"],
    takes: ["any"],
    rest: "any",
    result: (types) => types[2] ?? type.text(),
    nullability: "always",
  },
  replaceValues: {
    group: "value",
    signature: "x.replaceValues({ old: new })",
    meaning: "The value that stands beside it in an object or a Map; itself where it is none of the keys.",
    example: ['lit("nyc").replaceValues({ nyc: "New York" })', "New York"],
    takes: ["any"],
    rest: "same",
    result: first,
  },
  cut: {
    group: "value",
    signature: "x.cut(edges, labels)",
    meaning:
      "The label of the range that it falls into: ranges include their lower edge and not their upper one. Null outside of all, and for NaN. Without labels, texts such as `[0, 10)`.",
    example: ['lit(10).cut([0, 10, 20], ["low", "high"])', "high"],
    takes: ["number"],
    result: text,
    nullability: "always",
  },
  hash: {
    group: "value",
    signature: "x.hash(), hash(x, …)",
    meaning:
      "A whole number from 0 to 2⁶⁰ − 1 that is the same for equal values on every engine and in every release: the first 15 hexadecimal digits of the MD5 of its text, or of several, each as its length, a colon and its text, a null as `-`. Not for floating-point numbers, lists and structs. Not for secrets.",
    example: ['lit("a").hash()', "57446577476672362"],
    engines: "No engine's own `hash()`: those change from release to release.",
    takes: ["any"],
    rest: "any",
    result: int64,
    nullability: "never",
  },
  greatest: {
    group: "value",
    signature: "greatest(x, …)",
    meaning: "The largest of them; nulls are left out. NaN is the largest number.",
    example: ["greatest(lit(1), 3, 2)", 3],
    takes: ["ordered"],
    rest: "same",
    result: common,
    nullability: "all",
  },
  least: {
    group: "value",
    signature: "least(x, …)",
    meaning: "The smallest of them; nulls are left out.",
    example: ["least(lit(2), 3, 1)", 1],
    takes: ["ordered"],
    rest: "same",
    result: common,
    nullability: "all",
  },
  add: {
    group: "number",
    signature: "x.add(y)",
    meaning:
      "The sum. Whole numbers become int64, and one that does not fit is an error; decimals keep all their digits; with a floating-point number it is a float64.",
    example: ["lit(2, int32()).add(3)", "5"],
    engines:
      "DuckDB and Spark overflow in the type of the columns, Sail wraps in silence: a dialect widens to 64 bits first.",
    takes: ["number", "operand"],
    result: sum,
  },
  sub: {
    group: "number",
    signature: "x.sub(y)",
    meaning: "The difference, with the types of `add`.",
    example: ['lit("1", decimal(1, 0)).sub(lit("0.05", decimal(3, 2)))', "0.95"],
    takes: ["number", "operand"],
    result: sum,
  },
  mul: {
    group: "number",
    signature: "x.mul(y)",
    meaning: "The product, with the types of `add`; of decimals with the digits of both after the point.",
    example: ['lit("0.5", decimal(3, 1)).mul("0.25")', "0.125"],
    takes: ["number", "operand"],
    result: product,
  },
  div: {
    group: "number",
    signature: "x.div(y)",
    meaning: "The quotient as a float64; null where the divisor is zero.",
    example: ["lit(7, int32()).div(2)", 3.5],
    engines:
      "Division by zero is Infinity on DuckDB and an error on Spark: a dialect puts null in place of a zero divisor.",
    takes: ["number", "operand"],
    result: float,
    nullability: "divisor",
  },
  intDiv: {
    group: "number",
    signature: "x.intDiv(y)",
    meaning: "The quotient of whole numbers without its fraction, as int64; null where the divisor is zero.",
    example: ["lit(-7, int32()).intDiv(2)", "-3"],
    takes: ["integer", "integer"],
    result: int64,
    nullability: "divisor",
  },
  mod: {
    group: "number",
    signature: "x.mod(y)",
    meaning: "What division leaves, with the sign of the dividend; null where the divisor is zero.",
    example: ["lit(-5, int32()).mod(3)", "-2"],
    engines:
      "By zero it is null on DuckDB for whole numbers, NaN for others, and an error on Spark: a dialect puts null in place of a zero divisor.",
    takes: ["number", "operand"],
    result: rest,
    nullability: "divisor",
  },
  neg: {
    group: "number",
    signature: "x.neg()",
    meaning: "The negative.",
    example: ["lit(2).neg()", -2],
    takes: ["number"],
    result: same,
  },
  abs: {
    group: "number",
    signature: "x.abs()",
    meaning: "The absolute value.",
    example: ["lit(-2.5).abs()", 2.5],
    takes: ["number"],
    result: same,
  },
  sign: {
    group: "number",
    signature: "x.sign()",
    meaning: "-1, 0 or 1 as an int32; of NaN it is 0.",
    example: ["lit(-2.5).sign()", -1],
    engines: "Spark's is a double, and NaN of NaN: a dialect casts.",
    takes: ["number"],
    result: int32,
  },
  round: {
    group: "number",
    signature: "x.round(digits = 0)",
    meaning:
      "Rounded to so many digits after the point (before it where negative); halves away from zero. Whole numbers become int64, floating-point ones stay so: `cast(int64())` makes a whole number of it.",
    example: ["lit(2.5).round()", 3],
    engines: "DuckDB wraps whole numbers that round up beyond int64: the dialect makes it an error.",
    takes: ["number"],
    result: rounded,
  },
  floor: {
    group: "number",
    signature: "x.floor()",
    meaning: "The largest whole number that is not larger.",
    example: ["lit(-2.5).floor()", -3],
    takes: ["number"],
    result: whole,
  },
  ceil: {
    group: "number",
    signature: "x.ceil()",
    meaning: "The smallest whole number that is not smaller.",
    example: ["lit(2.1).ceil()", 3],
    takes: ["number"],
    result: whole,
  },
  trunc: {
    group: "number",
    signature: "x.trunc()",
    meaning: "Without its fraction.",
    example: ["lit(-2.5).trunc()", -2],
    takes: ["number"],
    result: whole,
  },
  sqrt: {
    group: "number",
    signature: "x.sqrt()",
    meaning: "The square root; NaN of a negative number.",
    example: ["lit(9).sqrt()", 3],
    engines: "DuckDB fails on negative numbers: the dialect gives NaN.",
    takes: ["number"],
    result: float,
  },
  cbrt: {
    group: "number",
    signature: "x.cbrt()",
    meaning: "The cube root.",
    example: ["lit(-8).cbrt()", -2],
    takes: ["number"],
    result: float,
  },
  exp: {
    group: "number",
    signature: "x.exp()",
    meaning: "e to the power of it.",
    example: ["lit(0).exp()", 1],
    takes: ["number"],
    result: float,
  },
  ln: {
    group: "number",
    signature: "x.ln()",
    meaning: "The natural logarithm; -Infinity of zero, NaN of a negative number.",
    example: ["lit(1).ln()", 0],
    engines: "DuckDB fails and Spark gives null for what is not positive: a dialect gives what is said here.",
    takes: ["number"],
    result: float,
  },
  log10: {
    group: "number",
    signature: "x.log10()",
    meaning: "The logarithm to base 10; -Infinity of zero, NaN of a negative number.",
    example: ["lit(1000).log10()", 3],
    engines: "As for `ln`.",
    takes: ["number"],
    result: float,
  },
  log2: {
    group: "number",
    signature: "x.log2()",
    meaning: "The logarithm to base 2; -Infinity of zero, NaN of a negative number.",
    example: ["lit(8).log2()", 3],
    engines: "As for `ln`.",
    takes: ["number"],
    result: float,
  },
  pow: {
    group: "number",
    signature: "x.pow(y)",
    meaning: "x to the power of y, as a float64.",
    example: ["lit(2).pow(10)", 1024],
    takes: ["number", "operand"],
    result: float,
  },
  sin: {
    group: "number",
    signature: "x.sin()",
    meaning: "The sine of radians; NaN of an infinite number.",
    example: ["lit(0).sin()", 0],
    engines:
      "DuckDB fails on infinite numbers: the dialect gives NaN. The last digit may differ between engines.",
    takes: ["number"],
    result: float,
  },
  cos: {
    group: "number",
    signature: "x.cos()",
    meaning: "The cosine of radians; NaN of an infinite number.",
    example: ["lit(0).cos()", 1],
    engines: "As for `sin`.",
    takes: ["number"],
    result: float,
  },
  tan: {
    group: "number",
    signature: "x.tan()",
    meaning: "The tangent of radians; NaN of an infinite number.",
    example: ["lit(0).tan()", 0],
    engines: "As for `sin`.",
    takes: ["number"],
    result: float,
  },
  asin: {
    group: "number",
    signature: "x.asin()",
    meaning: "The arc sine in radians; NaN outside -1 to 1.",
    example: ["lit(0).asin()", 0],
    engines: "DuckDB fails outside -1 to 1: the dialect gives NaN.",
    takes: ["number"],
    result: float,
  },
  acos: {
    group: "number",
    signature: "x.acos()",
    meaning: "The arc cosine in radians; NaN outside -1 to 1.",
    example: ["lit(1).acos()", 0],
    engines: "As for `asin`.",
    takes: ["number"],
    result: float,
  },
  atan: {
    group: "number",
    signature: "x.atan()",
    meaning: "The arc tangent in radians.",
    example: ["lit(0).atan()", 0],
    takes: ["number"],
    result: float,
  },
  atan2: {
    group: "number",
    signature: "y.atan2(x)",
    meaning: "The angle of the point (x, y) in radians.",
    example: ["lit(0).atan2(1)", 0],
    takes: ["number", "operand"],
    result: float,
  },
  sinh: {
    group: "number",
    signature: "x.sinh()",
    meaning: "The hyperbolic sine.",
    example: ["lit(0).sinh()", 0],
    takes: ["number"],
    result: float,
  },
  cosh: {
    group: "number",
    signature: "x.cosh()",
    meaning: "The hyperbolic cosine.",
    example: ["lit(0).cosh()", 1],
    takes: ["number"],
    result: float,
  },
  tanh: {
    group: "number",
    signature: "x.tanh()",
    meaning: "The hyperbolic tangent.",
    example: ["lit(0).tanh()", 0],
    takes: ["number"],
    result: float,
  },
  isNaN: {
    group: "number",
    signature: "x.isNaN()",
    meaning: "Whether it is NaN.",
    example: ["lit(NaN).isNaN()", true],
    takes: ["number"],
    result: boolean,
  },
  isFinite: {
    group: "number",
    signature: "x.isFinite()",
    meaning: "Whether it is neither infinite nor NaN.",
    example: ["lit(Infinity).isFinite()", false],
    takes: ["number"],
    result: boolean,
  },
  clip: {
    group: "number",
    signature: "x.clip(low, high)",
    meaning: "It, or the nearest value from low to high. NaN counts as larger than all.",
    example: ["lit(12).clip(0, 10)", 10],
    engines: "`greatest` and `least` of engines leave nulls out: a dialect keeps a null.",
    takes: ["number", "same", "same"],
    result: common,
  },
  bitAnd: {
    group: "number",
    signature: "x.bitAnd(y)",
    meaning: "The bits that both have, as int64.",
    example: ["lit(6, int32()).bitAnd(3)", "2"],
    takes: ["integer", "integer"],
    result: int64,
  },
  bitOr: {
    group: "number",
    signature: "x.bitOr(y)",
    meaning: "The bits that one of them has, as int64.",
    example: ["lit(6, int32()).bitOr(3)", "7"],
    takes: ["integer", "integer"],
    result: int64,
  },
  bitXor: {
    group: "number",
    signature: "x.bitXor(y)",
    meaning: "The bits that exactly one of them has, as int64.",
    example: ["lit(6, int32()).bitXor(3)", "5"],
    takes: ["integer", "integer"],
    result: int64,
  },
  formatNumber: {
    group: "number",
    signature: "x.format({ digits, thousands })",
    meaning:
      "As text with so many digits after the point, halves away from zero for decimals and by the exact binary value for floating-point numbers; `thousands: true` puts commas between groups of three digits.",
    example: ["lit(1234567.891).format({ digits: 2, thousands: true })", "1,234,567.89"],
    engines:
      "A cast of floating-point numbers to text differs between engines (`10000000.0`, `1.0E7`), so there is none.",
    takes: ["number"],
    result: text,
  },
  lower: {
    group: "text",
    signature: "x.lower()",
    meaning: "In lower case, code point by code point.",
    example: ['lit("ÀB").lower()', "àb"],
    engines: "Of `İ`, DuckDB makes `i`, and Spark an `i` with a combining dot.",
    takes: ["text"],
    result: text,
  },
  upper: {
    group: "text",
    signature: "x.upper()",
    meaning: "In upper case, code point by code point.",
    example: ['lit("àb").upper()', "ÀB"],
    engines: "Of `ß`, DuckDB makes `ẞ`, and Spark `SS`.",
    takes: ["text"],
    result: text,
  },
  trim: {
    group: "text",
    signature: "x.trim(characters?)",
    meaning: "Without white space at both ends, as in JavaScript, or without those characters.",
    example: ['lit("\\t a \\n").trim()', "a"],
    engines: "Engines trim only spaces unless they are told the characters: a dialect tells them.",
    takes: ["text"],
    result: text,
  },
  trimStart: {
    group: "text",
    signature: "x.trimStart(characters?)",
    meaning: "Without white space, or those characters, at its start.",
    example: ['lit("xxa").trimStart("x")', "a"],
    takes: ["text"],
    result: text,
  },
  trimEnd: {
    group: "text",
    signature: "x.trimEnd(characters?)",
    meaning: "Without white space, or those characters, at its end.",
    example: ['lit("a. ").trimEnd()', "a."],
    takes: ["text"],
    result: text,
  },
  slice: {
    group: "text",
    signature: "x.slice(start, end?)",
    meaning:
      "The code points from `start` up to `end`, which is not included; from 0, and from the end where negative, as in JavaScript.",
    example: ['lit("a😀bc").slice(1, -1)', "😀b"],
    engines:
      "SQL counts from 1, and engines differ in what 0 and negative numbers mean: a dialect writes out what is meant.",
    takes: ["text"],
    result: text,
  },
  length: {
    group: "text",
    signature: "x.length()",
    meaning: "The number of code points, as an int32.",
    example: ['lit("a😀").length()', 2],
    takes: ["text"],
    result: int32,
  },
  contains: {
    group: "text",
    signature: "x.contains(part)",
    meaning: "Whether the part stands in it. Every text contains the empty text.",
    example: ['lit("abc").contains("b")', true],
    takes: ["text", "text"],
    result: boolean,
  },
  startsWith: {
    group: "text",
    signature: "x.startsWith(part)",
    meaning: "Whether it begins with the part.",
    example: ['lit("abc").startsWith("ab")', true],
    takes: ["text", "text"],
    result: boolean,
  },
  endsWith: {
    group: "text",
    signature: "x.endsWith(part)",
    meaning: "Whether it ends with the part.",
    example: ['lit("abc").endsWith("bc")', true],
    takes: ["text", "text"],
    result: boolean,
  },
  indexOf: {
    group: "text",
    signature: "x.indexOf(part)",
    meaning: "Before how many code points the part first stands, from 0; -1 where it does not.",
    example: ['lit("a😀b").indexOf("b")', 2],
    takes: ["text", "text"],
    result: int32,
  },
  like: {
    group: "text",
    signature: "x.like(pattern)",
    meaning:
      "Whether all of it fits a pattern, in which `%` stands for any text, `_` for one code point, and `\\` takes the meaning of the next character.",
    example: ['lit("abc").like("a%")', true],
    engines: "DuckDB has no escape character of its own: the dialect says which.",
    takes: ["text"],
    result: boolean,
  },
  matches: {
    group: "text",
    signature: "x.matches(/pattern/)",
    meaning: "Whether a regular expression is found in it, as `test` in JavaScript.",
    example: ['lit("INV-17").matches(/^INV-\\d+$/)', true],
    engines:
      "Engines have RE2 (DuckDB) or Java's (Spark): patterns of JavaScript are rewritten so that both mean the same. What RE2 lacks (look-around, back references) is refused.",
    takes: ["text"],
    result: boolean,
  },
  extract: {
    group: "text",
    signature: "x.extract(/pattern/, group = 0)",
    meaning:
      "What a regular expression first finds in it, or what a group of it does, by number or name; null where it finds nothing, the empty text where the group took no part.",
    example: ['lit("INV-17").extract(/INV-(\\d+)/, 1)', "17"],
    engines: "DuckDB and Spark give the empty text where nothing is found: a dialect gives null.",
    takes: ["text"],
    result: text,
    nullability: "always",
  },
  extractAll: {
    group: "text",
    signature: "x.extractAll(/pattern/, group = 0)",
    meaning: "All that a regular expression finds in it, as a list.",
    example: ['lit("a1b22").extractAll(/\\d+/)', ["1", "22"]],
    takes: ["text"],
    result: () => type.list(type.text()),
  },
  replace: {
    group: "text",
    signature: "x.replace(textOrPattern, replacement)",
    meaning:
      "With the first place that fits a text or regular expression replaced. With a regular expression, `$1` to `$9` stand for its groups, `$&` for all of it, `$$` for a dollar.",
    example: ['lit("a-b-c").replace("-", "+")', "a+b-c"],
    engines: "SQL's `replace` takes all, DuckDB's `regexp_replace` the first, Spark's all.",
    takes: ["text"],
    result: text,
  },
  replaceAll: {
    group: "text",
    signature: "x.replaceAll(textOrPattern, replacement)",
    meaning: "With all places that fit replaced; otherwise as `replace`.",
    example: ['lit("2024-01-31").replaceAll(/(\\d+)-/, "$1/")', "2024/01/31"],
    takes: ["text"],
    result: text,
  },
  split: {
    group: "text",
    signature: "x.split(textOrPattern)",
    meaning: "The parts between a text or regular expression, as a list; by the empty text, the code points.",
    example: ['lit("a.b.").split(".")', ["a", "b", ""]],
    engines: "Spark's `split` takes a regular expression: its dialect escapes texts.",
    takes: ["text"],
    result: () => type.list(type.text()),
  },
  concat: {
    group: "text",
    signature: "x.concat(y, …)",
    meaning: "The texts one after the other.",
    example: ['lit("a").concat("-", "b")', "a-b"],
    engines: "`concat` of DuckDB leaves nulls out: the dialect uses `||`.",
    takes: ["text"],
    rest: "text",
    result: text,
  },
  padStart: {
    group: "text",
    signature: 'x.padStart(length, fill = " ")',
    meaning: "With the fill text before it until it has so many code points; never shortened.",
    example: ['lit("7").padStart(3, "0")', "007"],
    engines: "`lpad` of engines shortens longer texts: a dialect does not.",
    takes: ["text"],
    result: text,
  },
  padEnd: {
    group: "text",
    signature: 'x.padEnd(length, fill = " ")',
    meaning: "With the fill text after it until it has so many code points; never shortened.",
    example: ['lit("abc").padEnd(2)', "abc"],
    takes: ["text"],
    result: text,
  },
  repeat: {
    group: "text",
    signature: "x.repeat(times)",
    meaning: "So many times.",
    example: ['lit("ab").repeat(2)', "abab"],
    takes: ["text"],
    result: text,
  },
  reverse: {
    group: "text",
    signature: "x.reverse()",
    meaning: "Its code points from the end to the start.",
    example: ['lit("a😀b").reverse()', "b😀a"],
    engines: "DuckDB's `reverse` keeps combining marks on their letters: the dialect does not use it.",
    takes: ["text"],
    result: text,
  },
  parseDate: {
    group: "text",
    signature: "x.parseDate(pattern)",
    meaning:
      "A date, read by a pattern (see `format` of dates). A text that does not fit fails the query; `tryParseDate` makes it null.",
    example: ['lit("31.01.2026").parseDate("%d.%m.%Y")', "2026-01-31"],
    engines: "Spark's patterns are Java's: its dialect translates.",
    takes: ["text"],
    result: () => type.date(),
  },
  tryParseDate: {
    group: "text",
    signature: "x.tryParseDate(pattern)",
    meaning: "A date, read by a pattern; null where the text does not fit.",
    example: ['lit("soon").tryParseDate("%d.%m.%Y")', null],
    takes: ["text"],
    result: () => type.date(),
    nullability: "always",
  },
  parseTimestamp: {
    group: "text",
    signature: "x.parseTimestamp(pattern)",
    meaning:
      "A timestamp, read by a pattern. A text that does not fit fails the query; `tryParseTimestamp` makes it null.",
    example: ['lit("31.01.2026 10:30").parseTimestamp("%d.%m.%Y %H:%M")', "2026-01-31T10:30:00"],
    takes: ["text"],
    result: () => type.timestamp(),
  },
  tryParseTimestamp: {
    group: "text",
    signature: "x.tryParseTimestamp(pattern)",
    meaning: "A timestamp, read by a pattern; null where the text does not fit.",
    example: ['lit("soon").tryParseTimestamp("%Y")', null],
    takes: ["text"],
    result: () => type.timestamp(),
    nullability: "always",
  },
  year: {
    group: "time",
    signature: "x.year()",
    meaning:
      "The year, as an int32. Parts of a timestamptz are those in UTC: `toTimeZone` gives another zone's.",
    example: ['lit("2026-01-31", date()).year()', 2026],
    engines: "A dialect sets the session's zone to UTC.",
    takes: ["day"],
    result: int32,
  },
  quarter: {
    group: "time",
    signature: "x.quarter()",
    meaning: "The quarter of the year, from 1 to 4.",
    example: ['lit("2026-05-31", date()).quarter()', 2],
    takes: ["day"],
    result: int32,
  },
  month: {
    group: "time",
    signature: "x.month()",
    meaning: "The month, from 1 to 12.",
    example: ['lit("2026-01-31", date()).month()', 1],
    takes: ["day"],
    result: int32,
  },
  week: {
    group: "time",
    signature: "x.week()",
    meaning: "The ISO week, from 1 to 53; the year it belongs to is `weekYear`.",
    example: ['lit("2027-01-01", date()).week()', 53],
    takes: ["day"],
    result: int32,
  },
  weekYear: {
    group: "time",
    signature: "x.weekYear()",
    meaning: "The year that the ISO week belongs to.",
    example: ['lit("2027-01-01", date()).weekYear()', 2026],
    takes: ["day"],
    result: int32,
  },
  day: {
    group: "time",
    signature: "x.day()",
    meaning: "The day of the month, from 1 to 31.",
    example: ['lit("2026-01-31", date()).day()', 31],
    takes: ["day"],
    result: int32,
  },
  weekday: {
    group: "time",
    signature: "x.weekday()",
    meaning: "The ISO day of the week: 1 is Monday, 7 is Sunday.",
    example: ['lit("2026-02-01", date()).weekday()', 7],
    engines:
      "`dayofweek` of a Sunday is 0 on DuckDB and 1 on Spark: a dialect uses `isodow` or adds to `weekday`.",
    takes: ["day"],
    result: int32,
  },
  dayOfYear: {
    group: "time",
    signature: "x.dayOfYear()",
    meaning: "The day of the year, from 1 to 366.",
    example: ['lit("2026-02-01", date()).dayOfYear()', 32],
    takes: ["day"],
    result: int32,
  },
  hour: {
    group: "time",
    signature: "x.hour()",
    meaning: "The hour, from 0 to 23.",
    example: ['lit("2026-01-31T10:30:15", timestamp()).hour()', 10],
    takes: ["clock"],
    result: int32,
  },
  minute: {
    group: "time",
    signature: "x.minute()",
    meaning: "The minute, from 0 to 59.",
    example: ['lit("2026-01-31T10:30:15", timestamp()).minute()', 30],
    takes: ["clock"],
    result: int32,
  },
  second: {
    group: "time",
    signature: "x.second()",
    meaning: "The second, from 0 to 59.",
    example: ['lit("2026-01-31T10:30:15.5", timestamp()).second()', 15],
    takes: ["clock"],
    result: int32,
  },
  millisecond: {
    group: "time",
    signature: "x.millisecond()",
    meaning: "The whole milliseconds of the second, from 0 to 999.",
    example: ['lit("2026-01-31T10:30:15.5", timestamp()).millisecond()', 500],
    engines: "DuckDB counts the seconds too: the dialect takes them off.",
    takes: ["clock"],
    result: int32,
  },
  microsecond: {
    group: "time",
    signature: "x.microsecond()",
    meaning: "The microseconds of the second, from 0 to 999,999.",
    example: ['lit("2026-01-31T10:30:15.5", timestamp()).microsecond()', 500_000],
    engines: "As for `millisecond`.",
    takes: ["clock"],
    result: int32,
  },
  date: {
    group: "time",
    signature: "x.date()",
    meaning: "The day of a timestamp; of a timestamptz, the day in UTC.",
    example: ['lit("2026-01-31T10:30:15", timestamp()).date()', "2026-01-31"],
    takes: ["moment"],
    result: () => type.date(),
  },
  time: {
    group: "time",
    signature: "x.time()",
    meaning: "The time of day of a timestamp; of a timestamptz, the time in UTC.",
    example: ['lit("2026-01-31T10:30:15", timestamp()).time()', "10:30:15"],
    takes: ["moment"],
    result: () => type.time(),
  },
  truncTime: {
    group: "time",
    signature: 'x.trunc("week")',
    meaning:
      "The beginning of its year, quarter, month, week (Monday), day, hour, minute, second or millisecond. A date stays a date.",
    example: ['lit("2026-02-01", date()).trunc("week")', "2026-01-26"],
    takes: ["day"],
    result: first,
  },
  addTime: {
    group: "time",
    signature: "x.add({ months: 1, days: -1 })",
    meaning:
      "So many years, months, weeks, days, hours, minutes, seconds, milliseconds and microseconds later, in this order. A day that the month does not have becomes its last one. A day is 24 hours; a date takes no hours.",
    example: ['lit("2026-01-31", date()).add({ months: 1 })', "2026-02-28"],
    engines: "DuckDB makes a timestamp of a date: the dialect casts it back.",
    takes: ["day"],
    result: first,
  },
  diff: {
    group: "time",
    signature: 'x.diff(earlier, "day")',
    meaning:
      "How many whole units lie between the earlier and it, counted from the earlier of both as `add` counts; negative where it comes before. Units are year to millisecond. A number in JavaScript.",
    example: ['lit("2026-03-01", date()).diff("2026-01-31", "month")', 1],
    engines:
      "`date_diff` of engines counts the boundaries that are crossed: DuckDB's dialect uses `date_sub`.",
    takes: ["day", "like"],
    result: () => countType(),
  },
  formatTime: {
    group: "time",
    signature: 'x.format("%Y-%m-%d")',
    meaning:
      "As text by a pattern of `%Y %m %d %H %I %p %M %S %f` (microseconds), `%j` (day of the year), `%G %V %u` (ISO year, week and weekday), `%a %A %b %B` (English names), `%y` and `%%`.",
    example: ['lit("2026-01-31", date()).format("%d.%m.%Y")', "31.01.2026"],
    engines: "Spark's patterns are Java's: its dialect translates.",
    takes: ["day"],
    result: text,
  },
  toTimeZone: {
    group: "time",
    signature: 'x.toTimeZone("Europe/Berlin")',
    meaning: "What clocks in a zone show at a moment: a timestamptz becomes a timestamp.",
    example: [
      'lit("2026-07-01T10:00:00Z", timestamptz()).toTimeZone("Europe/Berlin")',
      "2026-07-01T12:00:00",
    ],
    takes: ["timestamptz"],
    result: () => type.timestamp(),
  },
  fromTimeZone: {
    group: "time",
    signature: 'x.fromTimeZone("Europe/Berlin")',
    meaning:
      "The moment at which clocks in a zone show it: a timestamp becomes a timestamptz. Of a time that comes twice, the later moment; one that is left out is moved on by an hour.",
    example: [
      'lit("2026-07-01T12:00:00", timestamp()).fromTimeZone("Europe/Berlin")',
      "2026-07-01T10:00:00Z",
    ],
    takes: ["timestamp"],
    result: () => type.timestamptz(),
  },
  epoch: {
    group: "time",
    signature: 'x.epoch("second")',
    meaning:
      "The whole seconds, milliseconds or microseconds since 1970-01-01T00:00:00 in UTC, as int64, rounded down.",
    example: ['lit("1970-01-02", date()).epoch("second")', "86400"],
    takes: ["day"],
    result: int64,
  },
  fromEpoch: {
    group: "time",
    signature: 'x.fromEpoch("second")',
    meaning:
      "The moment so many whole seconds, milliseconds or microseconds after 1970-01-01T00:00:00 in UTC, as a timestamptz.",
    example: ['lit(86400, int64()).fromEpoch("second")', "1970-01-02T00:00:00Z"],
    takes: ["integer"],
    result: () => type.timestamptz(),
  },
  timeBucket: {
    group: "time",
    signature: 'x.timeBucket("15m", origin = "1970-01-01")',
    meaning:
      "The beginning of the stretch of this duration that it falls into; stretches are laid from the origin on, in both directions.",
    example: ['lit("2026-01-31T10:29:00", timestamp()).timeBucket("15m")', "2026-01-31T10:15:00"],
    engines: "DuckDB begins in 2000: the dialect gives it the origin.",
    takes: ["day"],
    result: first,
  },
  stepsTo: {
    group: "time",
    signature: 'x.stepsTo(last, "1h")',
    meaning:
      "The list of it and what follows after each duration, or each month, quarter or year, up to the last; ten million of them at most.",
    example: [
      'lit("2026-01-31", date()).stepsTo("2026-02-02", "1d")',
      ["2026-01-31", "2026-02-01", "2026-02-02"],
    ],
    engines: "DuckDB's `generate_series` of dates gives moments: the dialect casts them back.",
    takes: ["day", "like"],
    result: (types) => type.list(first(types).notNull()),
  },
  listLength: {
    group: "list",
    signature: "x.length()",
    meaning: "The number of its elements, nulls included, as an int32.",
    example: ["lit([1, 2], list(int32())).length()", 2],
    takes: ["list"],
    result: int32,
  },
  listGet: {
    group: "list",
    signature: "x.get(index)",
    meaning: "One element, counted from 0, or from the end where negative; null where there is none.",
    example: ["lit([1, 2], list(int32())).get(-1)", 2],
    engines: "SQL counts from 1, and Spark fails outside of the list.",
    takes: ["list"],
    result: element,
    nullability: "always",
  },
  listContains: {
    group: "list",
    signature: "x.contains(value)",
    meaning: "Whether the value is one of its elements.",
    example: ["lit([1, 2], list(int32())).contains(2)", true],
    engines: "Spark gives null where the value is not found and an element is null: its dialect gives false.",
    takes: ["list", "any"],
    result: boolean,
  },
  listSlice: {
    group: "list",
    signature: "x.slice(start, end?)",
    meaning:
      "The elements from `start` up to `end`, which is not included; from the end where negative, as in JavaScript.",
    example: ["lit([1, 2, 3], list(int32())).slice(1)", [2, 3]],
    takes: ["list"],
    result: first,
  },
  listSort: {
    group: "list",
    signature: "x.sort()",
    meaning: "Its elements in ascending order, nulls last.",
    example: ["lit([3, 1, 2], list(int32())).sort()", [1, 2, 3]],
    engines: "DuckDB and Spark put nulls first unless they are told.",
    takes: ["list"],
    result: first,
  },
  listDistinct: {
    group: "list",
    signature: "x.distinct()",
    meaning: "Each of its values once, in ascending order, without nulls.",
    example: ["lit([3, 1, 3], list(int32())).distinct()", [1, 3]],
    engines: "DuckDB gives any order, Spark that of the list: a dialect sorts.",
    takes: ["list"],
    result: first,
  },
  listSum: {
    group: "list",
    signature: "x.listSum()",
    meaning: "The sum of its elements without nulls; null where there are none. Types as those of `sum`.",
    example: ["lit([1, 2], list(int32())).listSum()", "3"],
    takes: ["numbers"],
    result: (types) => summed([element(types)]),
    nullability: "always",
  },
  listMean: {
    group: "list",
    signature: "x.listMean()",
    meaning: "The mean of its elements without nulls; null where there are none.",
    example: ["lit([1, 2], list(int32())).listMean()", 1.5],
    takes: ["numbers"],
    result: float,
    nullability: "always",
  },
  listMin: {
    group: "list",
    signature: "x.listMin()",
    meaning: "The smallest of its elements without nulls; null where there are none.",
    example: ["lit([2, 1], list(int32())).listMin()", 1],
    takes: ["list"],
    result: element,
    nullability: "always",
  },
  listMax: {
    group: "list",
    signature: "x.listMax()",
    meaning: "The largest of its elements without nulls; null where there are none.",
    example: ["lit([2, 1], list(int32())).listMax()", 2],
    takes: ["list"],
    result: element,
    nullability: "always",
  },
  listJoin: {
    group: "list",
    signature: 'x.join(", ")',
    meaning: "Its texts without nulls in one text, with a separator between them; of none, the empty text.",
    example: ['lit(["a", "b"], list(text())).join("-")', "a-b"],
    takes: ["texts"],
    result: text,
  },
  field: {
    group: "struct and json",
    signature: 'x.field("city")',
    meaning: "A field of a struct.",
    example: ['lit({ city: "Rome" }, struct({ city: text() })).field("city")', "Rome"],
    takes: ["struct"],
    result: ([one], { name = "" }) => {
      const found = one?.fields?.find((each) => each.name === name)?.type ?? type.text();
      return one?.isNullable === true ? found.nullable() : found;
    },
  },
  at: {
    group: "struct and json",
    signature: 'x.at("a", 0, "b")',
    meaning:
      "What stands at a path of names and positions in JSON, as JSON; null where nothing does, or a JSON null. `cast(int64())` and its kind give it a type.",
    example: ['lit({ a: [{ b: 1 }] }, json()).at("a", 0, "b").cast(int32())', 1],
    takes: ["json"],
    result: () => type.json(),
    nullability: "always",
  },
} as const satisfies Readonly<Record<string, FunctionDescription>>;

/** The name of a function of one row's values. */
export type FunctionName = keyof typeof FUNCTIONS;

/** Counts are int64 on engines and numbers in JavaScript: no count exceeds 2⁵³. */
export function countType(): ColumnType<"int64", number, false> {
  return new type.ColumnType("int64", false, { isSafe: true });
}

const counted = () => countType();

/** The type of a sum of many: decimals get all 38 digits. */
function summed(types: readonly ColumnType[]): ColumnType {
  return widened((left) => decimalOf(38 - left.scale, left.scale))(types);
}

/** What an aggregate is. */
export interface AggregateDescription {
  /** How it is written, for the reference. */
  readonly signature: string;
  /** What it gives, in one or two sentences. */
  readonly meaning: string;
  /** Where engines differ from the meaning, and what a dialect does about it. */
  readonly engines?: string;
  /** What each argument must be. */
  readonly takes: readonly ArgumentKind[];
  /** The type of its value by the types of its arguments. */
  readonly result: (types: readonly ColumnType[]) => ColumnType;
  /**
   * `empty`: null where no value that is not null was seen. `never`, `always`.
   * @default "empty"
   */
  readonly nullability?: "empty" | "never" | "always";
}

/** Functions of the rows of a group; nulls do not count, unless it is said. */
export const AGGREGATES = {
  count: {
    signature: "count(), x.count()",
    meaning: "How many rows, or how many values that are not null. A number in JavaScript.",
    takes: ["any"],
    result: counted,
    nullability: "never",
  },
  countIf: {
    signature: "condition.countIf()",
    meaning: "For how many rows the condition is true.",
    takes: ["bool"],
    result: counted,
    nullability: "never",
  },
  countDistinct: {
    signature: "x.countDistinct()",
    meaning: "How many different values that are not null.",
    takes: ["any"],
    result: counted,
    nullability: "never",
  },
  approxCountDistinct: {
    signature: "x.approxCountDistinct()",
    meaning: "How many different values, within a few per cent, in little memory.",
    engines: "Each engine has its own estimate.",
    takes: ["any"],
    result: counted,
    nullability: "never",
  },
  sum: {
    signature: "x.sum()",
    meaning:
      "The sum: of whole numbers an int64, whose overflow is an error; of decimals a decimal of 38 digits; of floating-point numbers a float64, whose last digits depend on the order of the rows.",
    engines:
      "DuckDB gives a HUGEINT and Spark wraps unless it is told not to: a dialect casts to 64 bits and checks.",
    takes: ["number"],
    result: summed,
  },
  mean: {
    signature: "x.mean()",
    meaning: "The arithmetic mean as a float64.",
    takes: ["number"],
    result: float,
  },
  median: {
    signature: "x.median()",
    meaning: "The middle value, or the mean of the two in the middle, as a float64.",
    takes: ["number"],
    result: float,
  },
  quantile: {
    signature: "x.quantile(0.9)",
    meaning:
      "The value below which so large a part of the values lies, linear between two of them, as a float64.",
    engines: "Spark: `percentile`.",
    takes: ["number"],
    result: float,
  },
  approxQuantile: {
    signature: "x.approxQuantile(0.9)",
    meaning: "Such a value by an estimate that needs little memory.",
    engines: "Each engine has its own estimate.",
    takes: ["number"],
    result: float,
  },
  std: {
    signature: "x.std()",
    meaning:
      "The standard deviation of the sample (divided by n − 1); null for fewer than two values. It and the statistics below are NaN where a value is NaN or infinite.",
    takes: ["number"],
    result: float,
    nullability: "always",
  },
  var: {
    signature: "x.var()",
    meaning: "The variance of the sample (divided by n − 1); null for fewer than two values.",
    takes: ["number"],
    result: float,
    nullability: "always",
  },
  skewness: {
    signature: "x.skewness()",
    meaning:
      "The skewness of the sample, corrected for its size; null for fewer than three values, or where all are equal.",
    engines: "Spark's is not corrected: its dialect computes it.",
    takes: ["number"],
    result: float,
    nullability: "always",
  },
  kurtosis: {
    signature: "x.kurtosis()",
    meaning:
      "The excess kurtosis of the sample, corrected for its size; null for fewer than four values, or where all are equal.",
    engines: "Spark's is not corrected: its dialect computes it.",
    takes: ["number"],
    result: float,
    nullability: "always",
  },
  corr: {
    signature: "x.corr(y)",
    meaning:
      "The correlation (Pearson) of two columns over the rows where both have a value; null for fewer than two, or where one does not vary.",
    takes: ["number", "operand"],
    result: float,
    nullability: "always",
  },
  covar: {
    signature: "x.covar(y)",
    meaning: "The covariance of the sample over the rows where both have a value; null for fewer than two.",
    takes: ["number", "operand"],
    result: float,
    nullability: "always",
  },
  min: { signature: "x.min()", meaning: "The smallest value.", takes: ["ordered"], result: first },
  max: {
    signature: "x.max()",
    meaning: "The largest value; NaN is larger than all numbers.",
    takes: ["ordered"],
    result: first,
  },
  argMin: {
    signature: "x.argMin(y)",
    meaning:
      "The value of x in the row where y is smallest; of several such rows, the smallest x. Rows where either is null are left out.",
    engines: "Engines take any of several rows: a dialect takes the smallest pair of y and x.",
    takes: ["ordered", "ordered"],
    result: first,
    nullability: "always",
  },
  argMax: {
    signature: "x.argMax(y)",
    meaning:
      "The value of x in the row where y is largest; of several such rows, the largest x. Rows where either is null are left out.",
    engines: "As for `argMin`.",
    takes: ["ordered", "ordered"],
    result: first,
    nullability: "always",
  },
  mode: {
    signature: "x.mode()",
    meaning: "The most frequent value; of several, the smallest.",
    engines: "Engines take any of several: a dialect orders them.",
    takes: ["ordered"],
    result: first,
  },
  every: {
    signature: "condition.every()",
    meaning: "Whether it is true for all rows where it is not null.",
    takes: ["bool"],
    result: boolean,
  },
  some: {
    signature: "condition.some()",
    meaning: "Whether it is true for one row at least.",
    takes: ["bool"],
    result: boolean,
  },
  any: {
    signature: "x.any()",
    meaning: "Any value that is not null: for columns that are equal in all rows of a group.",
    takes: ["any"],
    result: first,
  },
  first: {
    signature: "x.first({ order: c.time })",
    meaning: "The value in the first row in an order, null or not.",
    takes: ["any"],
    result: first,
  },
  last: {
    signature: "x.last({ order: c.time })",
    meaning: "The value in the last row in an order, null or not.",
    takes: ["any"],
    result: first,
  },
  list: {
    signature: "x.list({ order: c.time })",
    meaning:
      "All values as a list, nulls included; in any order where none is given. Of no rows, the empty list.",
    engines: "Spark leaves nulls out: its dialect keeps them.",
    takes: ["any"],
    result: ([one]) => type.list(one ?? type.text()),
    nullability: "never",
  },
} as const satisfies Readonly<Record<string, AggregateDescription>>;

/** The name of an aggregate. */
export type AggregateName = keyof typeof AGGREGATES;

/** Functions of a row's position in its partition. */
export const RANKINGS = {
  rowNumber: {
    signature: "rowNumber()",
    meaning:
      "The number of the row in its partition, from 1. Rows that are equal in the order are numbered in any order.",
    takes: [],
    result: counted,
    nullability: "never",
  },
  rank: {
    signature: "rank()",
    meaning: "The rank, from 1, with gaps after rows that are equal.",
    takes: [],
    result: counted,
    nullability: "never",
  },
  denseRank: {
    signature: "denseRank()",
    meaning: "The rank, from 1, without gaps.",
    takes: [],
    result: counted,
    nullability: "never",
  },
  percentRank: {
    signature: "percentRank()",
    meaning: "(rank − 1) / (rows − 1), from 0 to 1; 0 for a single row.",
    takes: [],
    result: float,
    nullability: "never",
  },
  ntile: {
    signature: "ntile(4)",
    meaning:
      "In which of so many parts of nearly equal size the row is, from 1; the first parts are the larger ones.",
    takes: [],
    result: counted,
    nullability: "never",
  },
  lag: {
    signature: "x.lag(rows = 1, otherwise?)",
    meaning: "The value some rows before; before the first row `otherwise`, or null without it.",
    takes: ["any", "same"],
    result: first,
    nullability: "always",
  },
  lead: {
    signature: "x.lead(rows = 1, otherwise?)",
    meaning: "The value some rows after; after the last row `otherwise`, or null without it.",
    takes: ["any", "same"],
    result: first,
    nullability: "always",
  },
} as const satisfies Readonly<Record<string, AggregateDescription>>;

/** The name of a function of a row's position. */
export type RankingName = keyof typeof RANKINGS;
