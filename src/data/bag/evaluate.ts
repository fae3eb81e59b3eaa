import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import type { FunctionName } from "../expr/functions.ts";
import type { CallNode, ExpressionNode, LiteralNode } from "../expr/node.ts";

type Value = unknown;
type Row = Readonly<Record<string, unknown>>;
type Evaluate = (row: Row) => Value;
type Translate = (args: readonly Evaluate[], node: CallNode) => Evaluate;

/**
 * Makes a function of an expression, with the meaning that `expr/functions.ts` gives it. Bags evaluate expressions in their workers, beside
 * JSON.parse: DuckDB reads `[1,]` and `NaN` as JSON, takes the first of two equal keys, and gives a file up at the first byte that is not UTF-8, so
 * that the same line would be malformed for a function and not for an expression.
 *
 * @throws PawlError `bag.expression` for a function that bags do not evaluate
 */
export function evaluator(node: ExpressionNode): Evaluate {
  switch (node.kind) {
    case "column": {
      const { name } = node;
      return (row) => own(row, name) ?? null;
    }
    case "literal": {
      const value = literalValue(node);
      return () => value;
    }
    case "case": {
      const branches = node.branches.map(({ when, then }) => [evaluator(when), evaluator(then)] as const);
      const otherwise = evaluator(node.otherwise);
      return (row) => (branches.find(([when]) => when(row) === true)?.[1] ?? otherwise)(row);
    }
    case "call": {
      const translate = own(FUNCTIONS as Readonly<Record<string, Translate>>, node.function);
      if (translate === undefined) throw refused(node.function);
      return translate(node.arguments.map(evaluator), node);
    }
    default:
      throw refused(node.kind);
  }
}

function refused(name: string): PawlError {
  return new PawlError(
    "bag.expression",
    `Bags do not evaluate ${name} in an expression: use filter() with a function, or toFrame(), whose expressions have it. Bags have ${Object.keys(FUNCTIONS).join(", ")}.`,
  );
}

function literalValue({ value, type: { kind } }: LiteralNode): Value {
  if (value === null) return null;
  switch (kind) {
    case "int64":
    case "uint64":
      return BigInt(value as string | number);
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
    case "float32":
    case "float64":
      return Number(value);
    case "decimal":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "bytes":
    case "list":
    case "struct":
    case "json":
      throw new PawlError(
        "bag.expression",
        `Bags do not compare values of ${kind} in expressions: use filter() with a function, or toFrame().`,
      );
    default:
      return value;
  }
}

/** Null where an argument is null. */
const strict =
  (fn: (...values: never[]) => Value): Translate =>
  ([a, b]) => {
    const one = a as Evaluate;
    if (b === undefined)
      return (row) => {
        const x = one(row);
        return x === null ? null : (fn as (x: Value) => Value)(x);
      };
    return (row) => {
      const x = one(row);
      if (x === null) return null;
      const y = b(row);
      return y === null ? null : (fn as (x: Value, y: Value) => Value)(x, y);
    };
  };

const compared = (test: (order: number) => boolean): Translate =>
  strict((x: never, y: never) => test(order(x, y)));

/** Numbers by their value, NaN above all and equal to itself; texts by their code points; false before true. */
function order(x: Value, y: Value): number {
  if (typeof x === "string" && typeof y === "string") return x === y ? 0 : textOrder(x, y);
  const [a, b] = [x as number, y as number];
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
}

/** JavaScript orders texts by units of UTF-16, in which characters beyond the first 65,536 come before some that they follow. */
function textOrder(x: string, y: string): number {
  for (let at = 0; at < x.length && at < y.length; at++) {
    if (x.charCodeAt(at) === y.charCodeAt(at)) continue;
    // Within a pair the first half decides, and the halves are in order.
    return (x.codePointAt(at) as number) - (y.codePointAt(at) as number);
  }
  return x.length - y.length;
}

const INT64: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];

/** Arithmetic of floating-point numbers, or of whole ones, whose overflow is an error. */
function arithmetic(
  name: string,
  floats: (x: number, y: number) => number | null,
  wholes: (x: bigint, y: bigint) => bigint | null,
): Translate {
  return (args, node) => {
    const { kind } = node.type;
    if (kind === "float64" || kind === "float32")
      return strict((x: never, y: never) => floats(Number(x), Number(y)))(args, node);
    if (kind !== "int64") throw refused(`${name} of ${kind}`);
    return strict((x: never, y: never) => {
      const result = wholes(BigInt(x), BigInt(y ?? 0));
      if (result === null || (result >= INT64[0] && result <= INT64[1])) return result;
      throw new PawlError(
        "bag.expression-overflow",
        `${name} of ${quoted(x)} and ${quoted(y)} is more than an int64 holds.`,
      );
    })(args, node);
  };
}

const le = compared((sign) => sign <= 0);
const ge = compared((sign) => sign >= 0);

const and: Translate = (args) => (row) => {
  let result: boolean | null = true;
  for (const arg of args) {
    const value = arg(row);
    if (value === false) return false;
    if (value === null) result = null;
  }
  return result;
};

const FUNCTIONS: Partial<Readonly<Record<FunctionName, Translate>>> = {
  eq: compared((sign) => sign === 0),
  ne: compared((sign) => sign !== 0),
  lt: compared((sign) => sign < 0),
  le,
  gt: compared((sign) => sign > 0),
  ge,
  in: ([first, ...others]) => {
    const one = first as Evaluate;
    return (row) => {
      const value = one(row);
      if (value === null) return null;
      let unknown = false;
      for (const other of others) {
        const each = other(row);
        if (each === null) unknown = true;
        else if (order(value, each) === 0) return true;
      }
      return unknown ? null : false;
    };
  },
  and,
  or: (args) => (row) => {
    let result: boolean | null = false;
    for (const arg of args) {
      const value = arg(row);
      if (value === true) return true;
      if (value === null) result = null;
    }
    return result;
  },
  not: strict((x: never) => !x),
  isNull:
    ([one]) =>
    (row) =>
      (one as Evaluate)(row) === null,
  isNotNull:
    ([one]) =>
    (row) =>
      (one as Evaluate)(row) !== null,
  between: ([one, low, high], node) => {
    const [value, least, most] = [one, low, high] as [Evaluate, Evaluate, Evaluate];
    const parts = [ge([value, least], node), le([value, most], node)];
    return and(parts, node);
  },
  coalesce: (args) => (row) => {
    for (const arg of args) {
      const value = arg(row);
      if (value !== null) return value;
    }
    return null;
  },
  add: arithmetic(
    "add",
    (x, y) => x + y,
    (x, y) => x + y,
  ),
  sub: arithmetic(
    "sub",
    (x, y) => x - y,
    (x, y) => x - y,
  ),
  mul: arithmetic(
    "mul",
    (x, y) => x * y,
    (x, y) => x * y,
  ),
  div: strict((x: never, y: never) => (Number(y) === 0 ? null : Number(x) / Number(y))),
  mod: arithmetic(
    "mod",
    (x, y) => (y === 0 ? null : x % y),
    (x, y) => (y === 0n ? null : x % y),
  ),
  neg: arithmetic(
    "neg",
    (x) => -x,
    (x) => -x,
  ),
  length: strict((text: never) => [...(text as string)].length),
  contains: strict((text: never, part: never) => (text as string).includes(part)),
  startsWith: strict((text: never, part: never) => (text as string).startsWith(part)),
  endsWith: strict((text: never, part: never) => (text as string).endsWith(part)),
};
