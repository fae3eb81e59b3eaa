/**
 * The functions of expressions: one table that says what each means, whatever the engine. The builder checks arguments by it, every
 * dialect translates each name of it (the compiler finds a missing one), and the function reference of the docs is written from it.
 */

import * as type from "../schema/column-type.ts";
import { type ColumnType, isFloat, isInteger } from "../schema/column-type.ts";

/** What a function is, for the builder and the reference. */
export interface FunctionDescription {
  /** In which part of the reference it stands. */
  readonly group: "comparison" | "logic" | "arithmetic" | "text" | "time" | "list" | "null" | "other";
  /** What it gives, in one sentence. */
  readonly meaning: string;
  /** The type of its value by the types of its arguments, null where it cannot be told nullable from them: see `nullability`. */
  readonly result: (types: readonly ColumnType[]) => ColumnType;
  /**
   * `any`: null where an argument is null. `never`: never null. `always`: may be null whatever the arguments. `all`: null only where all are.
   * @default "any"
   */
  readonly nullability?: "any" | "never" | "always" | "all";
}

const boolean = () => type.bool();
const integer = () => type.int64();
const float = () => type.float64();
const text = () => type.text();
const first = ([one]: readonly ColumnType[]) => one ?? type.text();

/** The type of a sum or product of two numbers: whole numbers become int64, so that they overflow late, and then it is an error. */
function widened(types: readonly ColumnType[]): ColumnType {
  if (types.some(({ kind }) => isFloat(kind))) return type.float64();
  if (types.every(({ kind }) => isInteger(kind))) return type.int64();
  return decimalOf(types);
}

function decimalOf(types: readonly ColumnType[]): ColumnType {
  const scale = Math.max(...types.map((each) => each.scale ?? 0));
  return type.decimal(38, scale);
}

/** Functions of one row's values. */
export const FUNCTIONS = {
  eq: { group: "comparison", meaning: "Whether both are equal.", result: boolean },
  ne: { group: "comparison", meaning: "Whether both differ.", result: boolean },
  lt: { group: "comparison", meaning: "Whether the first is smaller.", result: boolean },
  le: { group: "comparison", meaning: "Whether the first is smaller, or both are equal.", result: boolean },
  gt: { group: "comparison", meaning: "Whether the first is larger.", result: boolean },
  ge: { group: "comparison", meaning: "Whether the first is larger, or both are equal.", result: boolean },
  in: { group: "comparison", meaning: "Whether the first is one of the others.", result: boolean },
  and: { group: "logic", meaning: "Whether both are true.", result: boolean },
  or: { group: "logic", meaning: "Whether one of them is true.", result: boolean },
  not: { group: "logic", meaning: "Whether it is false.", result: boolean },
  isNull: { group: "null", meaning: "Whether it is null.", result: boolean, nullability: "never" },
  coalesce: {
    group: "null",
    meaning: "The first of them that is not null.",
    result: first,
    nullability: "all",
  },
  add: { group: "arithmetic", meaning: "The sum.", result: widened },
  subtract: { group: "arithmetic", meaning: "The difference.", result: widened },
  multiply: { group: "arithmetic", meaning: "The product.", result: widened },
  divide: {
    group: "arithmetic",
    meaning: "The quotient as a floating-point number; null where the divisor is zero.",
    result: float,
    nullability: "always",
  },
  remainder: {
    group: "arithmetic",
    meaning: "What division leaves, with the sign of the dividend; null where the divisor is zero.",
    result: widened,
    nullability: "always",
  },
  negate: { group: "arithmetic", meaning: "The negative.", result: widened },
  lower: { group: "text", meaning: "The text in lower case.", result: text },
  length: { group: "text", meaning: "The number of code points of a text.", result: integer },
} as const satisfies Readonly<Record<string, FunctionDescription>>;

/** The name of a function of one row's values. */
export type FunctionName = keyof typeof FUNCTIONS;

/** What an aggregate is. */
export interface AggregateDescription {
  /** What it gives, in one sentence. */
  readonly meaning: string;
  /** The type of its value by the types of its arguments. */
  readonly result: (types: readonly ColumnType[]) => ColumnType;
  /**
   * `empty`: null where no value that is not null was seen. `never`, `always`.
   * @default "empty"
   */
  readonly nullability?: "empty" | "never" | "always";
}

/** Functions of the rows of a group; nulls do not count. */
export const AGGREGATES = {
  count: {
    meaning: "How many rows, or how many values that are not null.",
    result: integer,
    nullability: "never",
  },
  sum: { meaning: "The sum; of whole numbers an int64, whose overflow is an error.", result: widened },
  mean: { meaning: "The arithmetic mean.", result: float },
  std: {
    meaning: "The standard deviation of the sample; null for fewer than two values.",
    result: float,
    nullability: "always",
  },
  min: { meaning: "The smallest value.", result: first },
  max: { meaning: "The largest value.", result: first },
} as const satisfies Readonly<Record<string, AggregateDescription>>;

/** The name of an aggregate. */
export type AggregateName = keyof typeof AGGREGATES;

/** Functions of a row's position in its partition. */
export const RANKINGS = {
  rowNumber: {
    meaning: "The number of the row in its partition, from 1.",
    result: integer,
    nullability: "never",
  },
  rank: { meaning: "The rank, with gaps after rows that are equal.", result: integer, nullability: "never" },
  lag: {
    meaning: "The value some rows before, null before the first.",
    result: first,
    nullability: "always",
  },
  lead: { meaning: "The value some rows after, null after the last.", result: first, nullability: "always" },
} as const satisfies Readonly<Record<string, AggregateDescription>>;

/** The name of a function of a row's position. */
export type RankingName = keyof typeof RANKINGS;
