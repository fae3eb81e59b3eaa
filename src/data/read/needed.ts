import { columnsOf, type ExpressionNode, hasWindow, type NamedExpression } from "../expr/node.ts";
import type { FileScan, JoinNode, PlanNode, StagedNode, TableScan } from "../plan/node.ts";
import { rowIdentity } from "../plan/row-identity.ts";
import { nodesOf, replaced } from "../plan/walk.ts";
import { conjunctsOf } from "./conditions.ts";

/** A node that brings rows from outside of the engine. */
export type Leaf = FileScan | TableScan | StagedNode;

/** What a plan needs of one of its leaves. */
export interface Needs {
  /** The names of the columns that are looked at; null for all of them. */
  readonly columns: ReadonlySet<string> | null;
  /** Rows that do not meet all of these need not be read: they are filtered later in any case. */
  readonly where: readonly ExpressionNode[];
  /** Any so many rows suffice, whichever they are; absent or null where all are needed. */
  readonly rows?: number | null;
}

const ALL: Needs = { columns: null, where: [] };

/**
 * What plans need of each leaf below them. A leaf that stands in several places is read once, for all of them: with the columns that
 * any of them needs, and without conditions where they differ.
 */
export function needsOf(...plans: readonly PlanNode[]): ReadonlyMap<Leaf, Needs> {
  const needed = new Map<PlanNode, Needs>();
  const found = new Map<Leaf, Needs>();
  const give = (node: PlanNode, needs: Needs) => {
    const before = needed.get(node);
    needed.set(node, before === undefined ? needs : either(before, needs));
  };
  for (const plan of plans) give(plan, ALL);
  // From the results down: when a node is looked at, all that reads it has said what it needs.
  for (const node of nodesOf(...plans).toReversed()) {
    const needs = needed.get(node) ?? ALL;
    if (node.kind === "scan" || node.kind === "table" || node.kind === "staged") found.set(node, needs);
    passOn(node, needs, give);
  }
  return found;
}

function either(a: Needs, b: Needs): Needs {
  const columns = a.columns === null || b.columns === null ? null : a.columns.union(b.columns);
  const isSame = JSON.stringify(a.where) === JSON.stringify(b.where);
  const rows = a.rows == null || b.rows == null ? null : Math.max(a.rows, b.rows);
  return { columns, where: isSame ? a.where : [], rows };
}

function passOn(node: PlanNode, needs: Needs, give: (node: PlanNode, needs: Needs) => void): void {
  const below = (input: PlanNode, columns: Needs["columns"], where: Needs["where"] = []) =>
    give(input, { columns, where });
  const { columns } = needs;
  switch (node.kind) {
    case "scan":
    case "table":
    case "values":
      return;
    case "staged":
      for (const input of node.inputs) give(input, node.stage.passesNeeds === true ? needs : ALL);
      return;
    case "filter":
      below(node.input, withColumns(columns, [node.where]), [...needs.where, ...conjunctsOf(node.where)]);
      return;
    case "project": {
      const kept = node.columns.filter(({ name }) => columns === null || columns.has(name));
      give(node.input, {
        columns: withColumns(new Set(), expressionsOf(kept)),
        where: renamed(needs.where, node.columns),
        rows: kept.some(({ expression }) => hasWindow(expression)) ? null : (needs.rows ?? null),
      });
      return;
    }
    case "group":
      below(node.input, withColumns(new Set(), expressionsOf([...node.keys, ...node.aggregates])));
      return;
    case "join":
    case "asof":
      passOnJoin(node, needs, give);
      return;
    case "sort":
      below(
        node.input,
        withColumns(
          columns,
          node.keys.map(({ by }) => by),
        ),
        node.limit === null ? needs.where : [],
      );
      return;
    case "limit":
      // Which rows they are is not said, unless there is an order, which needs all of them.
      give(node.input, { columns, where: [], rows: node.offset + node.count });
      return;
    case "distinct":
      // Which row of some equal ones is kept does not depend on a condition over the columns that are equal.
      if (node.on === null) below(node.input, null, needs.where);
      else
        below(
          node.input,
          withNames(
            withColumns(
              columns,
              node.orderBy.map(({ by }) => by),
            ),
            node.on,
          ),
        );
      return;
    case "union":
      for (const input of node.inputs) below(input, columns, needs.where);
      return;
    case "unpivot":
      below(node.input, null);
      return;
    case "explode":
      below(
        node.input,
        withNames(columns, [node.column]),
        needs.where.filter((each) => !columnsOf(each).has(node.column)),
      );
      return;
    case "sample": {
      // What is drawn must not depend on which columns are looked at later.
      const identity = rowIdentity(node.input);
      if (identity.by === "content") below(node.input, null);
      else below(node.input, identity.by === "key" ? withNames(columns, identity.columns) : columns);
      return;
    }
    case "sql":
      for (const { plan } of node.inputs) below(plan, null);
      return;
  }
}

function passOnJoin(
  node: Extract<PlanNode, { readonly kind: "join" | "asof" }>,
  { columns, where }: Needs,
  give: (node: PlanNode, needs: Needs) => void,
): void {
  const kept = node.columns.filter(({ name }) => columns === null || columns.has(name));
  const pairs = node.kind === "join" ? node.on : [node.on, ...node.by];
  const sides = { left: new Set<string>(), right: new Set<string>() };
  for (const { left, right } of pairs) {
    sides.left.add(left);
    sides.right.add(right);
  }
  for (const { from, column, right } of kept) {
    if (from === "right") sides.right.add(column);
    else sides.left.add(column);
    if (from === "either") sides.right.add(right ?? column);
  }
  if (node.kind === "join" && node.condition !== null) addSides(node.condition, sides);
  for (const side of ["left", "right"] as const)
    give(node[side], { columns: sides[side], where: passedTo(side, node, where) });
}

/** In which joins a condition on the result may be asked of the rows of one side before: those that are never filled with nulls. */
const PASSES: Readonly<Record<"left" | "right", ReadonlySet<JoinNode["how"]>>> = {
  left: new Set(["inner", "left", "semi", "anti", "cross"]),
  right: new Set(["inner", "right", "cross"]),
};

function passedTo(
  side: "left" | "right",
  node: Extract<PlanNode, { readonly kind: "join" | "asof" }>,
  where: readonly ExpressionNode[],
): readonly ExpressionNode[] {
  // What is nearest to a row may be another one without those that a condition leaves out, but not on the left.
  const passes = node.kind === "join" ? PASSES[side].has(node.how) : side === "left";
  if (!passes) return [];
  const names = new Map(
    node.columns.filter(({ from }) => from === side).map(({ name, column }) => [name, column]),
  );
  return where.flatMap((each) => substituted(each, names) ?? []);
}

function addSides(
  node: ExpressionNode,
  sides: { readonly left: Set<string>; readonly right: Set<string> },
): void {
  // Without a side it may be of either; to name it in both does no harm, since a column that is not there is not read.
  const visitNode = (each: unknown): void => {
    if (Array.isArray(each)) for (const one of each) visitNode(one);
    if (typeof each !== "object" || each === null) return;
    const { kind, name, side } = each as { kind?: unknown; name?: unknown; side?: unknown };
    if (kind === "column" && typeof name === "string") {
      if (side !== "right") sides.left.add(name);
      if (side !== "left") sides.right.add(name);
    }
    for (const one of Object.values(each)) if (typeof one === "object") visitNode(one);
  };
  visitNode(node);
}

function expressionsOf(columns: readonly NamedExpression[]): readonly ExpressionNode[] {
  return columns.map(({ expression }) => expression);
}

function withColumns(columns: Needs["columns"], expressions: readonly ExpressionNode[]): Needs["columns"] {
  if (columns === null) return null;
  const all = new Set(columns);
  for (const each of expressions) columnsOf(each, all);
  return all;
}

function withNames(columns: Needs["columns"], names: readonly string[]): Needs["columns"] {
  return columns === null ? null : new Set([...columns, ...names]);
}

/** Conditions on the result of a projection as conditions on its input, as far as they speak of columns that it only renames. */
function renamed(
  where: readonly ExpressionNode[],
  columns: readonly NamedExpression[],
): readonly ExpressionNode[] {
  // A window looks at other rows, also at those that a condition leaves out.
  if (columns.some(({ expression }) => hasWindow(expression))) return [];
  const names = new Map<string, string>();
  for (const { name, expression } of columns)
    if (expression.kind === "column") names.set(name, expression.name);
  return where.flatMap((each) => substituted(each, names) ?? []);
}

/** A condition with other names of columns; null where it speaks of one that has none, or is of a kind that is left alone. */
function substituted(node: ExpressionNode, names: ReadonlyMap<string, string>): ExpressionNode | null {
  if (node.kind === "literal") return node;
  if (node.kind === "column") {
    const name = names.get(node.name);
    return name === undefined ? null : { kind: "column", name, type: node.type };
  }
  if (node.kind !== "call") return null;
  const inner = node.arguments.map((each) => substituted(each, names));
  const known = inner.filter((each) => each !== null);
  return known.length === inner.length ? { ...node, arguments: known } : null;
}

/**
 * A plan with other leaves, which may have fewer columns than those in whose place they stand: whatever only hands on a column that is
 * not there any more does without it. A node that is used twice is still one.
 */
export function withLeaves(plan: PlanNode, replacement: (leaf: Leaf) => PlanNode): PlanNode {
  return replaced(plan, (node, original) => {
    if (original.kind === "scan" || original.kind === "table") return replacement(original);
    if (original.kind === "staged") {
      const other = replacement(original);
      return other === original && node !== original ? narrower(node) : other;
    }
    return node === original ? node : narrower(node);
  });
}

/** A node without what its inputs do not have any more. */
function narrower(node: PlanNode): PlanNode {
  switch (node.kind) {
    case "staged": {
      const [input] = node.inputs;
      if (node.stage.passesNeeds !== true || input === undefined) return node;
      return { ...node, fields: fieldsNamed(node, namesOf(input)) };
    }
    case "scan":
    case "table":
    case "values":
    case "sql":
    case "group":
    case "unpivot":
      return node;
    case "project": {
      const has = namesOf(node.input);
      const columns = node.columns.filter(({ expression }) => columnsOf(expression).isSubsetOf(has));
      return { ...node, columns, fields: fieldsNamed(node, new Set(columns.map(({ name }) => name))) };
    }
    case "join":
    case "asof": {
      const has = { left: namesOf(node.left), right: namesOf(node.right) };
      const columns = node.columns.filter(({ from, column }) =>
        has[from === "right" ? "right" : "left"].has(column),
      );
      return { ...node, columns, fields: fieldsNamed(node, new Set(columns.map(({ name }) => name))) };
    }
    case "union": {
      const has = node.inputs.map(namesOf).reduce((all, each) => all.intersection(each), namesOf(node));
      return { ...node, fields: fieldsNamed(node, has) };
    }
    default:
      return { ...node, fields: fieldsNamed(node, namesOf(node.input)) };
  }
}

function namesOf({ fields }: PlanNode): Set<string> {
  return new Set(fields.map(({ name }) => name));
}

function fieldsNamed({ fields }: PlanNode, names: ReadonlySet<string>): PlanNode["fields"] {
  return fields.filter(({ name }) => names.has(name));
}
