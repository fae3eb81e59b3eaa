import { aggregate, BuiltExpression } from "../../../src/data/expr/expression.ts";
import { type AggregateName, type FunctionName, RANKINGS } from "../../../src/data/expr/functions.ts";
import type {
  AggregateNode,
  ExpressionNode,
  NamedExpression,
  SortKey,
  WindowNode,
} from "../../../src/data/expr/node.ts";
import { type ColumnField, isFloat, isNumber } from "../../../src/data/schema/column-type.ts";
import { called, isInexactName, randomCall } from "./calls.ts";
import { randomLiteral } from "./literals.ts";
import { type RandomKind, typeOf } from "./tables.ts";
import type { Tape } from "./tape.ts";

/** A name that begins so holds floats whose last digits depend on the order of the rows: nothing is built on it. */
export const INEXACT = "~";

/** Columns that later steps may look into. */
export function exact(fields: readonly ColumnField[]): readonly ColumnField[] {
  return fields.filter(({ name }) => !name.startsWith(INEXACT));
}

export function columnNode({ name, type }: ColumnField, side?: "left" | "right"): ExpressionNode {
  return side === undefined ? { kind: "column", name, type } : { kind: "column", name, side, type };
}

/** A condition over columns. */
export function randomCondition(tape: Tape, columns: readonly ExpressionNode[], depth = 2): ExpressionNode {
  const inner = () => randomCondition(tape, columns, depth - 1);
  const way = depth === 0 ? tape.below(3) : tape.below(7);
  const bools = columns.filter(({ type }) => type.kind === "bool");
  switch (way) {
    case 1:
      return called("isNull", [tape.pick(columns)]);
    case 2: {
      const left = tape.pick(columns);
      const others = Array.from({ length: 1 + tape.below(3) }, () => randomLiteral(tape, left.type));
      return called("in", [left, ...others]);
    }
    case 3:
      return called("and", [inner(), inner()]);
    case 4:
      return called("or", [inner(), inner()]);
    case 5:
      return called("not", [inner()]);
    case 6:
      return bools.length > 0 ? tape.pick(bools) : inner();
    default: {
      const left = randomOfAnyKind(tape, columns, depth);
      const right = tape.below(2) === 1 ? sameFamily(tape, left, columns) : randomLiteral(tape, left.type);
      return called(tape.pick(COMPARISONS), [left, right]);
    }
  }
}

const COMPARISONS: readonly FunctionName[] = ["eq", "ne", "lt", "le", "gt", "ge"];

function sameFamily(tape: Tape, left: ExpressionNode, columns: readonly ExpressionNode[]): ExpressionNode {
  const fitting = columns.filter(({ type }) =>
    isNumber(left.type.kind) ? isNumber(type.kind) : type.kind === left.type.kind,
  );
  return fitting.length > 0 ? tape.pick(fitting) : randomLiteral(tape, left.type);
}

/** An expression of any kind over columns. */
function randomOfAnyKind(tape: Tape, columns: readonly ExpressionNode[], depth = 2): ExpressionNode {
  if (depth === 0 || tape.below(2) === 0) return tape.pick(columns);
  const numbers = columns.filter(({ type }) => isNumber(type.kind));
  const way = tape.below(7);
  if (way === 0 && numbers.length > 0) return randomNumber(tape, numbers, depth);
  if (way === 1) return randomCall(tape, columns) ?? tape.pick(columns);
  if (way === 2) return randomCondition(tape, columns, depth - 1);
  if (way === 3) {
    const value = tape.pick(columns);
    return called("coalesce", [value, randomLiteral(tape, value.type)]);
  }
  if (way === 4) return randomCase(tape, columns, depth);
  if (way === 5) return randomCast(tape, columns);
  return randomLiteral(tape, tape.pick(columns).type);
}

function randomNumber(tape: Tape, numbers: readonly ExpressionNode[], depth: number): ExpressionNode {
  const name = tape.pick<FunctionName>(["add", "sub", "mul", "div", "mod", "neg"]);
  const left = depth > 1 && tape.oneIn(3) ? randomNumber(tape, numbers, depth - 1) : tape.pick(numbers);
  if (name === "neg") return called(name, [left]);
  const right = tape.below(2) === 1 ? tape.pick(numbers) : randomLiteral(tape, left.type);
  return called(name, [left, right]);
}

function randomCase(tape: Tape, columns: readonly ExpressionNode[], depth: number): ExpressionNode {
  const otherwise = tape.pick(columns);
  const branches = Array.from({ length: 1 + tape.below(2) }, () => ({
    when: randomCondition(tape, columns, depth - 1),
    // biome-ignore lint/suspicious/noThenProperty: it is a branch of a case, which is never awaited
    then: randomLiteral(tape, otherwise.type),
  }));
  // Of one type on all ways; the literal may have another scale.
  const then = branches.map((branch) => branch.then);
  const isSame = then.every(
    ({ type }) => type.kind === otherwise.type.kind && type.scale === otherwise.type.scale,
  );
  if (!isSame || otherwise.type.kind === "decimal") return otherwise;
  return { kind: "case", branches, otherwise, type: otherwise.type };
}

function randomCast(tape: Tape, columns: readonly ExpressionNode[]): ExpressionNode {
  const of = tape.pick(columns);
  const targets = CASTS[of.type.kind];
  if (targets === undefined) return of;
  const to = typeOf(tape.pick(targets));
  return new BuiltExpression(of).tryCast(to).node;
}

/** From text to numbers, and what loses nothing. */
const CASTS: Readonly<Record<string, readonly RandomKind[]>> = {
  int32: ["int64", "text", "float64"],
  int64: ["int32", "text"],
  text: ["int32", "int64", "decimal", "date"],
  date: ["text", "timestamp"],
  bool: ["int32"],
};

/** New columns for a projection, some of them over windows. */
export function randomColumns(tape: Tape, fields: readonly ColumnField[]): readonly NamedExpression[] {
  const columns = exact(fields).map((field) => columnNode(field));
  const kept = tape
    .some(fields)
    .map((field): NamedExpression => ({ name: field.name, expression: columnNode(field) }));
  if (columns.length === 0) return kept;
  const names = freshNames(fields, 2);
  const made = Array.from({ length: tape.below(3) }, (_, index): NamedExpression => {
    const expression = tape.oneIn(4) ? randomWindow(tape, columns) : randomOfAnyKind(tape, columns);
    return { name: named(names[index] ?? "z", expression), expression };
  });
  return [...kept, ...made];
}

/** Means of deviations and quotients have last digits of their own. */
function named(name: string, node: ExpressionNode): string {
  return isInexact(node) ? `${INEXACT}${name}` : name;
}

export function isInexact(node: ExpressionNode): boolean {
  if (node.kind === "aggregate" || node.kind === "call")
    return isInexactName(node.function) || node.arguments.some(isInexact);
  if (node.kind === "window")
    return node.of.kind === "ranking" ? isInexactName(node.of.function) : isInexact(node.of);
  return false;
}

export function freshNames(fields: readonly ColumnField[], count: number): readonly string[] {
  const taken = new Set(fields.map(({ name }) => name.replace(INEXACT, "")));
  const names: string[] = [];
  for (let number = 1; names.length < count; number++) if (!taken.has(`n${number}`)) names.push(`n${number}`);
  return names;
}

const AGGREGATES: readonly AggregateName[] = [
  "count",
  "sum",
  "min",
  "max",
  "mean",
  "std",
  "var",
  "median",
  "countDistinct",
  "mode",
];

/** An aggregate of a column, or the number of rows. */
export function randomAggregate(tape: Tape, columns: readonly ExpressionNode[]): AggregateNode {
  const name = tape.pick(AGGREGATES);
  // DuckDB refuses the deviation of what is not finite.
  const needsFinite = name === "std" || name === "var";
  const numbers = columns.filter(({ type }) => isNumber(type.kind) && !(needsFinite && isFloat(type.kind)));
  if (name === "count") return aggregate("count", tape.below(2) === 1 ? [tape.pick(columns)] : []).node;
  if (name === "min" || name === "max" || name === "mode" || name === "countDistinct")
    return aggregate(name, [tape.pick(columns)]).node;
  if (numbers.length === 0) return aggregate("count", []).node;
  const node = aggregate(name, [tape.pick(numbers)]).node;
  return tape.oneIn(4)
    ? { ...node, where: randomCondition(tape, columns, 1), type: node.type.nullable() }
    : node;
}

function randomWindow(tape: Tape, columns: readonly ExpressionNode[]): WindowNode | ExpressionNode {
  const partitionBy = tape.below(2) === 1 ? [tape.pick(columns)] : [];
  // Told apart by all columns, rows that are equal are the same to everyone.
  const orderBy: SortKey[] = columns.map((by) => ({ by, descending: tape.below(2) === 1 }));
  const way = tape.below(4);
  if (way === 0) {
    const name = tape.pick(["rank", "rowNumber", "denseRank", "percentRank"] as const);
    const type = RANKINGS[name].result();
    return {
      kind: "window",
      of: { kind: "ranking", function: name, arguments: [], type },
      partitionBy,
      orderBy,
      type,
    };
  }
  if (way === 1) {
    const value = tape.pick(columns);
    const type = value.type.nullable();
    const of = {
      kind: "ranking",
      function: tape.pick(["lag", "lead"] as const),
      arguments: [value],
      type,
    } as const;
    return { kind: "window", of, partitionBy, orderBy, type };
  }
  const of = randomAggregate(tape, columns);
  const type = of.function === "count" ? of.type : of.type.nullable();
  if (way === 2) return { kind: "window", of, partitionBy, orderBy: [], type };
  const rows = [-tape.below(3), tape.below(3)] as const;
  return { kind: "window", of, partitionBy, orderBy, rows, type };
}
