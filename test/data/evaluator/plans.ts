import type {
  AggregateNode,
  ExpressionNode,
  NamedExpression,
  SortKey,
  WindowNode,
} from "../../../src/data/expr/node.ts";
import type { JoinNode, PlanNode } from "../../../src/data/plan/node.ts";
import type { ColumnField } from "../../../src/data/schema/column-type.ts";
import { aggregateOf } from "./aggregates.ts";
import { type Cell, cellOf, compareForSort, same } from "./cells.ts";
import { evaluate, type Scope, Unsupported } from "./expressions.ts";
import { rankingOf } from "./windows.ts";

/** Rows in memory, each a list of cells in the order of the fields. */
export interface Table {
  readonly fields: readonly ColumnField[];
  readonly rows: readonly (readonly Cell[])[];
}

/**
 * The rows of a plan, worked out in plain JavaScript, one node after the other and nothing optimized: what an engine must come to. Rows
 * keep the order of their input wherever a node does not say otherwise.
 */
export function evaluatePlan(plan: PlanNode): Table {
  const { fields } = plan;
  switch (plan.kind) {
    case "values":
      return {
        fields,
        rows: plan.rows.map((row) => row.map((value, index) => cellOf(value, typeAt(fields, index)))),
      };
    case "filter": {
      const input = evaluatePlan(plan.input);
      const rows = withScopes(input).filter(({ scope }) => evaluate(plan.where, scope) === true);
      return { fields, rows: rows.map(({ row }) => row) };
    }
    case "project": {
      const scopes = withScopes(evaluatePlan(plan.input));
      return {
        fields,
        rows: scopes.map(({ scope }) => plan.columns.map((column) => evaluate(column.expression, scope))),
      };
    }
    case "group":
      return { fields, rows: groups(evaluatePlan(plan.input), plan.keys, plan.aggregates) };
    case "join":
      return { fields, rows: joined(plan, evaluatePlan(plan.left), evaluatePlan(plan.right)) };
    case "sort": {
      const sorted = sortedScopes(withScopes(evaluatePlan(plan.input)), plan.keys).map(({ row }) => row);
      return { fields, rows: plan.limit === null ? sorted : sorted.slice(0, plan.limit) };
    }
    case "limit": {
      const { rows } = evaluatePlan(plan.input);
      return { fields, rows: rows.slice(plan.offset, plan.offset + plan.count) };
    }
    case "distinct": {
      const input = evaluatePlan(plan.input);
      const places = (plan.on ?? input.fields.map(({ name }) => name)).map((name) =>
        placeOf(input.fields, name),
      );
      const ordered = sortedScopes(withScopes(input), plan.orderBy).map(({ row }) => row);
      const rows: (readonly Cell[])[] = [];
      for (const row of ordered)
        if (!rows.some((other) => places.every((place) => same(row[place] as Cell, other[place] as Cell))))
          rows.push(row);
      return { fields, rows };
    }
    case "union": {
      const rows = plan.inputs.flatMap((input) => {
        const table = evaluatePlan(input);
        const places = fields.map(({ name }) => placeOf(table.fields, name));
        return table.rows.map((row) => places.map((place) => row[place] as Cell));
      });
      return { fields, rows };
    }
    case "unpivot": {
      const input = evaluatePlan(plan.input);
      const kept = fields.filter(({ name }) => name !== plan.nameColumn && name !== plan.valueColumn);
      const rows = input.rows.flatMap((row) =>
        plan.columns.map((column) =>
          fields.map(({ name }) => {
            if (name === plan.nameColumn) return column;
            if (name === plan.valueColumn) return row[placeOf(input.fields, column)] as Cell;
            return row[placeOf(input.fields, name)] as Cell;
          }),
        ),
      );
      return {
        fields,
        rows: kept.length + 2 === fields.length ? rows : unsupported("an unpivot with other columns"),
      };
    }
    case "explode": {
      const input = evaluatePlan(plan.input);
      const place = placeOf(input.fields, plan.column);
      const rows = input.rows.flatMap((row) => {
        const list = row[place] as readonly Cell[] | null;
        const elements = list === null || list.length === 0 ? (plan.keepEmpty ? [null] : []) : list;
        return elements.map((element) => row.with(place, element));
      });
      return { fields, rows };
    }
    case "asof":
      return { fields, rows: nearest(plan, evaluatePlan(plan.left), evaluatePlan(plan.right)) };
    default:
      return unsupported(`a ${plan.kind}`);
  }
}

function unsupported(what: string): never {
  throw new Unsupported(what);
}

interface Scoped {
  readonly row: readonly Cell[];
  readonly scope: Scope;
}

/** The rows of a table with what expressions find around each: its columns, and the windows over all rows. */
function withScopes({ fields, rows }: Table): readonly Scoped[] {
  const made: Scoped[] = [];
  for (const row of rows) {
    const scope: Scope = {
      column: (name) => row[placeOf(fields, name)] as Cell,
      computed: (node) => {
        if (node.kind !== "window") throw new Error("an aggregate stands outside of a group");
        return windowOf(node, made, scope);
      },
    };
    made.push({ row, scope });
  }
  return made;
}

function groups(
  input: Table,
  keys: readonly NamedExpression[],
  aggregates: readonly NamedExpression[],
): (readonly Cell[])[] {
  const found: { readonly key: readonly Cell[]; readonly scopes: Scope[] }[] = [];
  for (const { scope } of withScopes(input)) {
    const key = keys.map(({ expression }) => evaluate(expression, scope));
    const group = found.find((each) => each.key.every((cell, index) => same(cell, key[index] as Cell)));
    if (group === undefined) found.push({ key, scopes: [scope] });
    else group.scopes.push(scope);
  }
  if (keys.length === 0 && found.length === 0) found.push({ key: [], scopes: [] });
  return found.map(({ key, scopes }) => {
    const scope: Scope = {
      // Outside of an aggregate only keys have one value.
      column: (name) => {
        const place = keys.findIndex(
          ({ expression }) => expression.kind === "column" && expression.name === name,
        );
        if (place < 0) throw new Error(`${name} stands outside of an aggregate`);
        return key[place] as Cell;
      },
      computed: (node) => {
        if (node.kind !== "aggregate") throw new Unsupported("a window over groups");
        return aggregateOf(node as AggregateNode, scopes);
      },
    };
    return [...key, ...aggregates.map(({ expression }) => evaluate(expression, scope))];
  });
}

function windowOf(node: WindowNode, all: readonly Scoped[], current: Scope): Cell {
  const keyOf = (scope: Scope) => node.partitionBy.map((key) => evaluate(key, scope));
  const key = keyOf(current);
  const partition = all.filter(({ scope }) =>
    keyOf(scope).every((cell, index) => same(cell, key[index] as Cell)),
  );
  const ordered = sortedScopes(partition, node.orderBy);
  const place = ordered.findIndex(({ scope }) => scope === current);
  const isPeer = (other: Scope) => orderOf(other, current, node.orderBy) === 0;
  const scopes = ordered.map(({ scope }) => scope);
  if (node.of.kind === "ranking")
    return rankingOf(node.of, scopes, place, isPeer, (a, b) => orderOf(a, b, node.orderBy) === 0);
  const { rows } = node;
  if (rows !== undefined) {
    const from = rows[0] === null ? 0 : Math.max(0, place + rows[0]);
    const to = rows[1] === null ? scopes.length : Math.max(0, place + rows[1] + 1);
    return aggregateOf(node.of, scopes.slice(from, to));
  }
  if (node.orderBy.length === 0) return aggregateOf(node.of, scopes);
  // Up to this row, with those that the order does not tell apart from it.
  const end = scopes.findLastIndex(isPeer) + 1;
  return aggregateOf(node.of, scopes.slice(0, end));
}

function sortedScopes(scopes: readonly Scoped[], keys: readonly SortKey[]): readonly Scoped[] {
  if (keys.length === 0) return scopes;
  return scopes.toSorted((a, b) => orderOf(a.scope, b.scope, keys));
}

function orderOf(a: Scope, b: Scope, keys: readonly SortKey[]): number {
  for (const { by, descending } of keys) {
    const order = compareForSort(evaluate(by, a), evaluate(by, b), descending);
    if (order !== 0) return order;
  }
  return 0;
}

function joined(plan: JoinNode, left: Table, right: Table): (readonly Cell[])[] {
  const matches = (l: readonly Cell[], r: readonly Cell[]) =>
    plan.on.every((pair) =>
      equalKeys(l[placeOf(left.fields, pair.left)], r[placeOf(right.fields, pair.right)]),
    ) &&
    (plan.condition === null ||
      evaluate(plan.condition, bothScope(left.fields, right.fields, l, r)) === true);
  const make = (l: readonly Cell[] | null, r: readonly Cell[] | null) =>
    plan.columns.map((column) => {
      const fromLeft = () => (l === null ? null : (l[placeOf(left.fields, column.column)] as Cell));
      const name = column.from === "either" ? (column.right ?? column.column) : column.column;
      const fromRight = () => (r === null ? null : (r[placeOf(right.fields, name)] as Cell));
      if (column.from === "left") return fromLeft();
      return column.from === "right" ? fromRight() : (fromLeft() ?? fromRight());
    });
  const { how } = plan;
  if (how === "semi" || how === "anti")
    return left.rows
      .filter((l) => right.rows.some((r) => matches(l, r)) === (how === "semi"))
      .map((l) => make(l, null));
  const rows: (readonly Cell[])[] = [];
  for (const l of left.rows) {
    const found = right.rows.filter((r) => matches(l, r));
    for (const r of found) rows.push(make(l, r));
    if (found.length === 0 && (how === "left" || how === "full")) rows.push(make(l, null));
  }
  if (how === "right" || how === "full")
    for (const r of right.rows) if (!left.rows.some((l) => matches(l, r))) rows.push(make(null, r));
  return rows;
}

function nearest(plan: Extract<PlanNode, { kind: "asof" }>, left: Table, right: Table): (readonly Cell[])[] {
  const backward = plan.direction === "backward";
  return left.rows.map((l) => {
    const at = l[placeOf(left.fields, plan.on.left)] as Cell;
    let best: readonly Cell[] | null = null;
    for (const r of right.rows) {
      const other = r[placeOf(right.fields, plan.on.right)] as Cell;
      if (at === null || other === null) continue;
      if (
        !plan.by.every((pair) =>
          equalKeys(l[placeOf(left.fields, pair.left)], r[placeOf(right.fields, pair.right)]),
        )
      )
        continue;
      const order = compareForSort(other, at, false);
      if (backward ? order > 0 : order < 0) continue;
      const bestAt = best === null ? null : (best[placeOf(right.fields, plan.on.right)] as Cell);
      if (bestAt === null || compareForSort(other, bestAt, !backward) > 0) best = r;
    }
    return plan.columns.map((column) => {
      if (column.from === "right")
        return best === null ? null : (best[placeOf(right.fields, column.column)] as Cell);
      return l[placeOf(left.fields, column.column)] as Cell;
    });
  });
}

function equalKeys(a: Cell | undefined, b: Cell | undefined): boolean {
  return a !== null && b !== null && same(a as Cell, b as Cell);
}

function bothScope(
  left: readonly ColumnField[],
  right: readonly ColumnField[],
  l: readonly Cell[],
  r: readonly Cell[],
): Scope {
  return {
    column: (name, side) => (side === "right" ? r[placeOf(right, name)] : l[placeOf(left, name)]) as Cell,
    computed: (node: ExpressionNode) => unsupported(`a ${node.kind} in the condition of a join`),
  };
}

function typeAt(fields: readonly ColumnField[], index: number): ColumnField["type"] {
  const field = fields[index];
  if (field === undefined) throw new Error("a row has more values than the plan has columns");
  return field.type;
}

function placeOf(fields: readonly ColumnField[], name: string): number {
  const place = fields.findIndex((field) => field.name === name);
  if (place < 0) throw new Error(`the plan has no column ${JSON.stringify(name)}`);
  return place;
}
