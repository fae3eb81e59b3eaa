import { isFloat, isInteger } from "../../../src/data/schema/column-type.ts";
import { type Apply, strict } from "./apply.ts";
import { asDecimal, asFloat, type Cell, compare, Decimal, EvaluationError, fitting, same } from "./cells.ts";
import { listFunctions } from "./lists.ts";
import { textFunctions } from "./texts.ts";
import { timeFunctions } from "./times.ts";

function comparison(holds: (order: number) => boolean): Apply {
  return strict(([a, b]) => holds(compare(a as Cell, b as Cell)));
}

/** In the type of the result: floats as soon as one is, else exact. */
function arithmetic(
  floats: (a: number, b: number) => number,
  wholes: (a: bigint, b: bigint) => bigint,
  decimals: (a: Decimal, b: Decimal) => Decimal,
): Apply {
  return strict(([a, b], { type }) => {
    if (isFloat(type.kind)) return floats(asFloat(a as Cell), asFloat(b as Cell));
    if (isInteger(type.kind)) return fitting(wholes(a as bigint, b as bigint), type.kind);
    return checkedDigits(decimals(asDecimal(a as Cell), asDecimal(b as Cell)), type.precision, type.scale);
  });
}

function checkedDigits(value: Decimal, precision = 38, scale = 0): Decimal {
  const made = value.rescaled(scale);
  const limit = 10n ** BigInt(precision);
  if (made.unscaled >= limit || made.unscaled <= -limit)
    throw new EvaluationError(`${made} has more than ${precision} digits`);
  return made;
}

/** Both with as many digits after the point. */
function aligned(apply: (a: bigint, b: bigint) => bigint): (a: Decimal, b: Decimal) => Decimal {
  return (a, b) => {
    const scale = Math.max(a.scale, b.scale);
    return new Decimal(apply(a.rescaled(scale).unscaled, b.rescaled(scale).unscaled), scale);
  };
}

const isZero = (cell: Cell) => asFloat(cell) === 0;
const add = arithmetic(
  (a, b) => a + b,
  (a, b) => a + b,
  aligned((a, b) => a + b),
);
const subtract = arithmetic(
  (a, b) => a - b,
  (a, b) => a - b,
  aligned((a, b) => a - b),
);
const remainder = arithmetic(
  (a, b) => a % b,
  (a, b) => a % b,
  aligned((a, b) => a % b),
);
const multiply = arithmetic(
  (a, b) => a * b,
  (a, b) => a * b,
  (a, b) => new Decimal(a.unscaled * b.unscaled, a.scale + b.scale),
);

/** Of one number, in the type of the result. */
function ofOne(
  floats: (a: number) => number,
  wholes: (a: bigint) => bigint,
  decimals: (a: Decimal) => Decimal,
): Apply {
  return strict(([value], { type }) => {
    if (isFloat(type.kind)) return floats(asFloat(value as Cell));
    if (isInteger(type.kind)) return fitting(wholes(value as bigint), type.kind);
    return checkedDigits(decimals(asDecimal(value as Cell)), type.precision, type.scale);
  });
}

const asItIs = (value: bigint) => value;
const trunc = ({ unscaled, scale }: Decimal) => new Decimal(unscaled / 10n ** BigInt(scale), 0);
const floor = (value: Decimal) => {
  const cut = trunc(value);
  return value.unscaled < 0n && cut.rescaled(value.scale).unscaled !== value.unscaled
    ? new Decimal(cut.unscaled - 1n, 0)
    : cut;
};
const negative = ({ unscaled, scale }: Decimal) => new Decimal(-unscaled, scale);

/** Halves away from zero. */
function roundFloat(value: number, digits: number): number {
  if (digits === 0)
    return Math.abs(value) >= 2 ** 52
      ? value
      : Math.trunc(value + Math.sign(value) * 0.5 * (1 - Number.EPSILON / 2));
  const factor = 10 ** digits;
  return roundFloat(value * factor, 0) / factor;
}

function roundWhole(value: bigint, digits: number): bigint {
  if (digits >= 0) return value;
  const unit = 10n ** BigInt(-digits);
  return new Decimal(value, -digits).rescaled(0).unscaled * unit;
}

function ofFloat(apply: (value: number) => number): Apply {
  return strict(([value]) => apply(asFloat(value as Cell)));
}

function ofBits(apply: (a: bigint, b: bigint) => bigint): Apply {
  return strict(([a, b]) => BigInt.asIntN(64, apply(a as bigint, b as bigint)));
}

/** The first of some by an order; nulls are left out. */
function extreme(isBetter: (order: number) => boolean): Apply {
  return (args) =>
    args.reduce((best: Cell, value) => {
      if (value === null || best === null) return best ?? value;
      return isBetter(compare(value, best)) ? value : best;
    }, null);
}

const isIn: Apply = ([value = null, ...others]) => {
  if (others.length === 0) return false;
  if (value === null) return null;
  if (others.some((other) => other !== null && compare(value, other) === 0)) return true;
  return others.includes(null) ? null : false;
};

const and: Apply = (args) => (args.includes(false) ? false : args.includes(null) ? null : true);
const between: Apply = ([value = null, low = null, high = null]) =>
  and(
    [
      value === null || low === null ? null : compare(value, low) >= 0,
      value === null || high === null ? null : compare(value, high) <= 0,
    ],
    undefined as never,
  );

const negate = strict(([value]) => value !== true);

/** The functions that the evaluator knows, with the meanings that `expr/functions.ts` gives them. */
export const functions: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ["eq", comparison((order) => order === 0)],
  ["ne", comparison((order) => order !== 0)],
  ["lt", comparison((order) => order < 0)],
  ["le", comparison((order) => order <= 0)],
  ["gt", comparison((order) => order > 0)],
  ["ge", comparison((order) => order >= 0)],
  ["between", between],
  ["eqNull", ([a, b]) => same(a as Cell, b as Cell)],
  ["in", isIn],
  ["notIn", (args, node) => negate([isIn(args, node)], node)],
  ["and", and],
  ["or", (args) => (args.includes(true) ? true : args.includes(null) ? null : false)],
  ["not", negate],
  ["isNull", ([value]) => value === null],
  ["isNotNull", ([value]) => value !== null],
  ["coalesce", (args) => args.find((value) => value !== null) ?? null],
  ["nullIf", ([a = null, b = null]) => (a !== null && b !== null && compare(a, b) === 0 ? null : a)],
  ["greatest", extreme((order) => order > 0)],
  ["least", extreme((order) => order < 0)],
  ["add", add],
  ["sub", subtract],
  ["mul", multiply],
  ["div", strict(([a, b]) => (isZero(b as Cell) ? null : asFloat(a as Cell) / asFloat(b as Cell)))],
  [
    "intDiv",
    strict(([a, b], { type }) => (b === 0n ? null : fitting((a as bigint) / (b as bigint), type.kind))),
  ],
  ["mod", (args, node) => (args.includes(null) || isZero(args[1] as Cell) ? null : remainder(args, node))],
  [
    "neg",
    ofOne(
      (a) => -a,
      (a) => -a,
      negative,
    ),
  ],
  [
    "abs",
    ofOne(
      Math.abs,
      (a) => (a < 0n ? -a : a),
      (a) => (a.unscaled < 0n ? negative(a) : a),
    ),
  ],
  ["sign", strict(([value]) => BigInt(Math.sign(asFloat(value as Cell)) || 0))],
  [
    "round",
    (args, node) => {
      const digits = Number(node.options?.digits ?? 0);
      return ofOne(
        (a) => roundFloat(a, digits),
        (a) => roundWhole(a, digits),
        (a) => {
          if (digits >= 0) return a.rescaled(Math.min(a.scale, digits));
          return new Decimal(
            new Decimal(a.unscaled, a.scale - digits).rescaled(0).unscaled * 10n ** BigInt(-digits),
            0,
          );
        },
      )(args, node);
    },
  ],
  ["floor", ofOne(Math.floor, asItIs, floor)],
  ["ceil", ofOne(Math.ceil, asItIs, (a) => negative(floor(negative(a))))],
  ["trunc", ofOne(Math.trunc, asItIs, trunc)],
  ["sqrt", ofFloat(Math.sqrt)],
  ["cbrt", ofFloat(Math.cbrt)],
  ["exp", ofFloat(Math.exp)],
  ["ln", ofFloat(Math.log)],
  ["log10", ofFloat(Math.log10)],
  ["log2", ofFloat(Math.log2)],
  ["sin", ofFloat(Math.sin)],
  ["cos", ofFloat(Math.cos)],
  ["tan", ofFloat(Math.tan)],
  ["asin", ofFloat(Math.asin)],
  ["acos", ofFloat(Math.acos)],
  ["atan", ofFloat(Math.atan)],
  ["sinh", ofFloat(Math.sinh)],
  ["cosh", ofFloat(Math.cosh)],
  ["tanh", ofFloat(Math.tanh)],
  ["isNaN", strict(([value]) => typeof value === "number" && Number.isNaN(value))],
  ["isFinite", strict(([value]) => typeof value !== "number" || Number.isFinite(value))],
  [
    "clip",
    strict(([value, low, high], node) => {
      const raised = compare(value as Cell, low as Cell) < 0 ? low : value;
      const made = compare(raised as Cell, high as Cell) > 0 ? high : raised;
      return made instanceof Decimal ? made.rescaled(node.type.scale ?? 0) : (made as Cell);
    }),
  ],
  ["bitAnd", ofBits((a, b) => a & b)],
  ["bitOr", ofBits((a, b) => a | b)],
  ["bitXor", ofBits((a, b) => a ^ b)],
  ...textFunctions,
  ...timeFunctions,
  ...listFunctions,
]);
