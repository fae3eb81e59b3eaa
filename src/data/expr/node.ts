/**
 * Expressions as data: what a frame keeps of `c.amount.gt(100)`, and all that an engine sees of it. Every node carries the type of
 * its value, which the builder has worked out, so that an engine needs no rules of types of its own.
 */
import type { ColumnType } from "../schema/column-type.ts";
import type { AggregateName, CallOption, FunctionName, RankingName } from "./functions.ts";

/** A value as the plan keeps it: exact, and the same on every engine. Whole numbers beyond 2⁵³ and decimals are text of digits. */
export type LiteralValue = string | number | boolean | null;

/** A column of the input; of a join's condition, of one of its two inputs. */
export interface ColumnNode {
  readonly kind: "column";
  readonly name: string;
  readonly side?: "left" | "right";
  readonly type: ColumnType;
}

/** A constant. Its text is the ISO form of a date or moment, digits of an int64 or decimal, base64 of bytes, JSON of a list or struct. */
export interface LiteralNode {
  readonly kind: "literal";
  readonly value: LiteralValue;
  readonly type: ColumnType;
}

/** A function of the values of one row. */
export interface CallNode {
  readonly kind: "call";
  readonly function: FunctionName;
  readonly arguments: readonly ExpressionNode[];
  readonly options?: Readonly<Record<string, CallOption>>;
  readonly type: ColumnType;
}

/** Another type for the same value: `checked` fails on a value that does not fit, otherwise it becomes null. */
export interface CastNode {
  readonly kind: "cast";
  readonly of: ExpressionNode;
  readonly checked: boolean;
  readonly type: ColumnType;
}

/** The value of the first branch whose condition is true. */
export interface CaseNode {
  readonly kind: "case";
  readonly branches: readonly { readonly when: ExpressionNode; readonly then: ExpressionNode }[];
  readonly otherwise: ExpressionNode;
  readonly type: ColumnType;
}

/** One value of the rows of a group. */
export interface AggregateNode {
  readonly kind: "aggregate";
  readonly function: AggregateName;
  readonly arguments: readonly ExpressionNode[];
  /** The order in which the rows are seen; needed by those whose value depends on it. */
  readonly orderBy: readonly SortKey[];
  /** Only rows for which this is true count. */
  readonly where: ExpressionNode | null;
  readonly options?: Readonly<Record<string, CallOption>>;
  readonly type: ColumnType;
}

/** A value for each row, of the rows around it. */
export interface WindowNode {
  readonly kind: "window";
  /** An aggregate over the window's frame, or a function of the row's position in its partition. */
  readonly of: AggregateNode | RankingNode;
  readonly partitionBy: readonly ExpressionNode[];
  readonly orderBy: readonly SortKey[];
  /** Which rows around the current one, by number of rows; null means without an end. Absent: all of the partition, or, ordered, all up to this row. */
  readonly rows?: readonly [from: number | null, to: number | null];
  /** Which rows, by how far their key of the order lies from the current one's; null means without an end. */
  readonly range?: readonly [from: RangeOffset | null, to: RangeOffset | null];
  readonly type: ColumnType;
}

/** How far before (negative) or after a key of an order: a number, or a span of time. */
export type RangeOffset = number | TimeOffset;

/** A span of time in the three parts that do not measure each other. */
export interface TimeOffset {
  readonly months: number;
  readonly days: number;
  readonly microseconds: number;
}

/** A function of a row's position in its partition. */
export interface RankingNode {
  readonly kind: "ranking";
  readonly function: RankingName;
  readonly arguments: readonly ExpressionNode[];
  readonly type: ColumnType;
}

/** The escape hatch: a text of the engine's own SQL, in which `{name}` stands for an expression. */
export interface SqlNode {
  readonly kind: "sql";
  readonly parts: readonly string[];
  readonly arguments: readonly ExpressionNode[];
  readonly type: ColumnType;
}

/** An expression. */
export type ExpressionNode =
  | ColumnNode
  | LiteralNode
  | CallNode
  | CastNode
  | CaseNode
  | AggregateNode
  | WindowNode
  | SqlNode;

/** One key of an order. Nulls come last, whatever the direction. */
export interface SortKey {
  readonly by: ExpressionNode;
  readonly descending: boolean;
}

/** An expression with a name: a column of the result. */
export interface NamedExpression {
  readonly name: string;
  readonly expression: ExpressionNode;
}

/** The expressions directly below a node. */
export function childrenOf(node: ExpressionNode | RankingNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case "column":
    case "literal":
      return [];
    case "call":
    case "sql":
    case "ranking":
      return node.arguments;
    case "cast":
      return [node.of];
    case "case":
      return [...node.branches.flatMap(({ when, then }) => [when, then]), node.otherwise];
    case "aggregate":
      return [
        ...node.arguments,
        ...node.orderBy.map(({ by }) => by),
        ...(node.where === null ? [] : [node.where]),
      ];
    case "window":
      return [...childrenOf(node.of), ...node.partitionBy, ...node.orderBy.map(({ by }) => by)];
  }
}

/** All nodes of an expression, each once. An expression may be as deep as a program makes it, so that nothing here calls itself. */
function* nodesOf(
  node: ExpressionNode,
  childrenIn: (node: ExpressionNode) => readonly ExpressionNode[] = childrenOf,
): Iterable<ExpressionNode> {
  const open = [node];
  const seen = new Set<ExpressionNode>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    yield next;
    for (const child of childrenIn(next)) open.push(child);
  }
}

/** What an aggregate must not stand in: what is inside an aggregate over a window is the window's own. */
function childrenForAggregates(node: ExpressionNode): readonly ExpressionNode[] {
  if (node.kind === "aggregate") return [];
  if (node.kind === "window")
    return [...node.partitionBy, ...node.orderBy.map(({ by }) => by), ...node.of.arguments];
  return childrenOf(node);
}

/** Whether an expression holds an aggregate that is not over a window: it has one value for many rows. */
export function isAggregate(node: ExpressionNode): boolean {
  for (const each of nodesOf(node, childrenForAggregates)) if (each.kind === "aggregate") return true;
  return false;
}

/** Whether an expression holds a window function. */
export function hasWindow(node: ExpressionNode): boolean {
  for (const each of nodesOf(node)) if (each.kind === "window") return true;
  return false;
}

/** The columns that an expression reads, each once. */
export function columnsOf(node: ExpressionNode, into: Set<string> = new Set()): Set<string> {
  for (const each of nodesOf(node)) if (each.kind === "column") into.add(each.name);
  return into;
}

/** The columns that an expression reads outside of its aggregates: of a group, only its keys may be among them. */
export function columnsOutsideAggregates(node: ExpressionNode): Set<string> {
  const names = new Set<string>();
  for (const each of nodesOf(node, childrenForAggregates)) if (each.kind === "column") names.add(each.name);
  return names;
}
