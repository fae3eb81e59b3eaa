import { BuiltExpression, call } from "../../../src/data/expr/expression.ts";
import {
  type ArgumentKind,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
} from "../../../src/data/expr/functions.ts";
import type { ExpressionNode } from "../../../src/data/expr/node.ts";
import { type ColumnType, isFloat, isInteger, isNumber } from "../../../src/data/schema/column-type.ts";
import { functions } from "../evaluator/functions.ts";
import { randomLiteral } from "./literals.ts";
import type { Tape } from "./tape.ts";

/** Functions that have settings besides their arguments, as a program calls them. */
const WITH_SETTINGS: ReadonlyMap<string, (value: BuiltExpression, tape: Tape) => BuiltExpression> = new Map([
  ["round", (value, tape) => value.round(tape.pick([0, 1, -1]))],
  ["trim", (value) => value.trim()],
  ["trimStart", (value) => value.trimStart()],
  ["trimEnd", (value) => value.trimEnd()],
]);

/** What the library of an engine works out in a way of its own in the last digits. */
const INEXACT_FUNCTIONS: ReadonlySet<string> = new Set([
  "cbrt",
  "exp",
  "ln",
  "log10",
  "log2",
  "pow",
  "sin",
  "cos",
  "tan",
  "asin",
  "acos",
  "atan",
  "atan2",
  "sinh",
  "cosh",
  "tanh",
  "mean",
  "std",
  "var",
  "median",
  "quantile",
  "corr",
  "covar",
  "percentRank",
]);

export function isInexactName(name: string): boolean {
  return INEXACT_FUNCTIONS.has(name);
}

/** The functions that both the evaluator and the engine know. */
const CALLABLE = (Object.keys(FUNCTIONS) as FunctionName[]).filter((name) => functions.has(name));

/** A call of any function whose arguments the columns can give; null where they cannot. */
export function randomCall(
  tape: Tape,
  columns: readonly ExpressionNode[],
  names: readonly FunctionName[] = CALLABLE,
): ExpressionNode | null {
  const name = tape.pick(names);
  const { takes, rest }: FunctionDescription = FUNCTIONS[name];
  const more = rest === undefined ? [] : Array.from({ length: 1 + tape.below(2) }, () => rest);
  const made: ExpressionNode[] = [];
  for (const kind of [...takes, ...more]) {
    const argument = randomArgument(tape, columns, kind, made[0]);
    if (argument === null) return null;
    made.push(argument);
  }
  const method = WITH_SETTINGS.get(name);
  const [first] = made;
  return method === undefined || first === undefined
    ? called(name, made)
    : method(new BuiltExpression(first), tape).node;
}

/** A call of nodes. */
export function called(name: FunctionName, nodes: readonly ExpressionNode[]): ExpressionNode {
  const values = nodes.map((node) => new BuiltExpression(node));
  return call(name, values).node;
}

/** The first argument is a column where there is one; of the others some are literals. */
function randomArgument(
  tape: Tape,
  columns: readonly ExpressionNode[],
  kind: ArgumentKind,
  first: ExpressionNode | undefined,
): ExpressionNode | null {
  const fitting = columns.filter(({ type }) => fits(type, kind, first?.type));
  if (first === undefined) return fitting.length === 0 ? null : tape.pick(fitting);
  if (fitting.length > 0 && tape.below(2) === 1) return tape.pick(fitting);
  const like = fits(first.type, kind, first.type) ? first.type : fitting[0]?.type;
  return like === undefined ? null : randomLiteral(tape, like);
}

function fits(type: ColumnType, kind: ArgumentKind, first: ColumnType | undefined): boolean {
  switch (kind) {
    case "any":
    case "ordered":
      return type.kind !== "list";
    case "like":
      return first !== undefined && (isNumber(first.kind) ? isNumber(type.kind) : type.kind === first.kind);
    case "same":
      return (
        first !== undefined &&
        type.kind === first.kind &&
        type.scale === first.scale &&
        type.precision === first.precision
      );
    case "operand":
    case "number":
      return isNumber(type.kind);
    case "integer":
      return isInteger(type.kind);
    case "float":
      return isFloat(type.kind);
    case "text":
    case "bool":
    case "timestamp":
    case "timestamptz":
    case "list":
      return type.kind === kind;
    case "day":
      return type.kind === "date" || type.kind === "timestamp";
    case "clock":
    case "moment":
      return type.kind === "timestamp";
    default:
      return false;
  }
}
