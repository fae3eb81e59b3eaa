import type { AggregateNode } from "../../../src/data/expr/node.ts";
import { isFloat, isInteger } from "../../../src/data/schema/column-type.ts";
import { asDecimal, asFloat, type Cell, compare, compareForSort, Decimal, fitting } from "./cells.ts";
import { evaluate, type Scope, Unsupported } from "./expressions.ts";

/** The value of an aggregate over the rows of a group. */
export function aggregateOf(node: AggregateNode, scopes: readonly Scope[]): Cell {
  const { where, orderBy } = node;
  const kept = where === null ? scopes : scopes.filter((scope) => evaluate(where, scope) === true);
  const ordered =
    orderBy.length === 0
      ? kept
      : kept.toSorted((a, b) => {
          for (const { by, descending } of orderBy) {
            const order = compareForSort(evaluate(by, a), evaluate(by, b), descending);
            if (order !== 0) return order;
          }
          return 0;
        });
  if (node.function === "count" && node.arguments.length === 0) return BigInt(ordered.length);
  const rows = ordered.map((scope) => node.arguments.map((argument) => evaluate(argument, scope)));
  const aggregate = aggregates.get(node.function);
  if (aggregate !== undefined)
    return aggregate(
      rows.map(([value = null]) => value).filter((value) => value !== null),
      node,
    );
  const ofRows = rowAggregates.get(node.function);
  if (ofRows === undefined) throw new Unsupported(`the aggregate ${node.function}`);
  return ofRows(rows);
}

/** Of the values that are not null. */
type Aggregate = (known: readonly NonNullable<Cell>[], node: AggregateNode) => Cell;

/** Null for no values. */
function ofSome(aggregate: Aggregate): Aggregate {
  return (known, node) => (known.length === 0 ? null : aggregate(known, node));
}

function sum(known: readonly NonNullable<Cell>[], { type }: AggregateNode): Cell {
  if (isFloat(type.kind)) return known.reduce((total: number, value) => total + asFloat(value), 0);
  if (isInteger(type.kind))
    return fitting(
      known.reduce((total: bigint, value) => total + (value as bigint), 0n),
      type.kind,
    );
  const scale = type.scale ?? 0;
  return new Decimal(
    known.reduce((total: bigint, value) => total + asDecimal(value).rescaled(scale).unscaled, 0n),
    scale,
  );
}

/** Exact where the values are: the sum of whole numbers and decimals has all its digits before it is divided. */
function mean(known: readonly NonNullable<Cell>[]): number {
  if (known.some((value) => typeof value === "number"))
    return known.reduce((total: number, value) => total + asFloat(value), 0) / known.length;
  const decimals = known.map(asDecimal);
  const scale = Math.max(...decimals.map((value) => value.scale));
  const total = decimals.reduce((sum, value) => sum + value.rescaled(scale).unscaled, 0n);
  return new Decimal(total, scale).toNumber() / known.length;
}

function variance(known: readonly NonNullable<Cell>[]): number | null {
  if (known.length < 2) return null;
  const middle = mean(known);
  return (
    known.reduce((total: number, value) => total + (asFloat(value) - middle) ** 2, 0) / (known.length - 1)
  );
}

/** Linear between the two values around the place. */
function quantile(known: readonly NonNullable<Cell>[], part: number): number {
  const sorted = known.toSorted(compare).map(asFloat);
  const place = part * (sorted.length - 1);
  const low = sorted[Math.floor(place)] as number;
  const high = sorted[Math.ceil(place)] as number;
  const share = place - Math.floor(place);
  return low === high ? low : low * (1 - share) + high * share;
}

/** The most frequent value; of several, the smallest. */
function mode(known: readonly NonNullable<Cell>[]): Cell {
  const counts = known.map((value) => known.filter((other) => compare(value, other) === 0).length);
  const most = Math.max(...counts);
  return known.filter((_, place) => counts[place] === most).reduce((a, b) => (compare(b, a) < 0 ? b : a));
}

/** The aggregates that the evaluator knows, of values that are not null. */
const aggregates: ReadonlyMap<string, Aggregate> = new Map<string, Aggregate>([
  ["count", (known) => BigInt(known.length)],
  ["countIf", (known) => BigInt(known.filter((value) => value === true).length)],
  [
    "countDistinct",
    (known) =>
      BigInt(
        known.filter((value, place) => known.findIndex((other) => compare(value, other) === 0) === place)
          .length,
      ),
  ],
  ["sum", ofSome(sum)],
  ["mean", ofSome((known) => mean(known))],
  ["median", ofSome((known) => quantile(known, 0.5))],
  [
    "quantile",
    ofSome((known, node) => quantile(known, Number(node.options?.part ?? node.options?.q ?? 0.5))),
  ],
  [
    "std",
    (known) => {
      const value = variance(known);
      return value === null ? null : Math.sqrt(value);
    },
  ],
  ["var", (known) => variance(known)],
  ["min", ofSome((known) => known.reduce((a, b) => (compare(b, a) < 0 ? b : a)))],
  ["max", ofSome((known) => known.reduce((a, b) => (compare(b, a) > 0 ? b : a)))],
  ["mode", ofSome(mode)],
  ["every", ofSome((known) => known.every((value) => value === true))],
  ["some", ofSome((known) => known.includes(true))],
]);

/** Of two columns, over the rows where both have a value. */
function paired(
  apply: (pairs: readonly (readonly [number, number])[]) => Cell,
): (rows: readonly (readonly Cell[])[]) => Cell {
  return (rows) => {
    const pairs = rows
      .filter((row) => !row.includes(null))
      .map(([a, b]) => [asFloat(a as Cell), asFloat(b as Cell)] as const);
    return pairs.length < 2 ? null : apply(pairs);
  };
}

function deviations(pairs: readonly (readonly [number, number])[]): { xy: number; xx: number; yy: number } {
  const middle = (place: 0 | 1) => pairs.reduce((total, pair) => total + pair[place], 0) / pairs.length;
  const [x, y] = [middle(0), middle(1)];
  const sum = (of: (a: number, b: number) => number) =>
    pairs.reduce((total, [a, b]) => total + of(a - x, b - y), 0);
  return { xy: sum((a, b) => a * b), xx: sum((a) => a * a), yy: sum((_, b) => b * b) };
}

/** The value of x in the row where y is the best; of several such rows, the smallest x. */
function arg(isBetter: (order: number) => boolean): (rows: readonly (readonly Cell[])[]) => Cell {
  return (rows) => {
    let best: readonly Cell[] | null = null;
    for (const row of rows) {
      if (row.includes(null)) continue;
      const order = best === null ? 1 : compare(row[1] as Cell, best[1] as Cell);
      if (best === null || isBetter(order) || (order === 0 && compare(row[0] as Cell, best[0] as Cell) < 0))
        best = row;
    }
    return best?.[0] ?? null;
  };
}

/** The aggregates that the evaluator knows, which see nulls and several arguments. */
const rowAggregates: ReadonlyMap<string, (rows: readonly (readonly Cell[])[]) => Cell> = new Map([
  ["covar", paired((pairs) => deviations(pairs).xy / (pairs.length - 1))],
  [
    "corr",
    paired((pairs) => {
      const { xy, xx, yy } = deviations(pairs);
      return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
    }),
  ],
  ["argMin", arg((order) => order < 0)],
  ["argMax", arg((order) => order > 0)],
  ["first", (rows: readonly (readonly Cell[])[]) => rows[0]?.[0] ?? null],
  ["last", (rows: readonly (readonly Cell[])[]) => rows.at(-1)?.[0] ?? null],
  ["list", (rows: readonly (readonly Cell[])[]) => rows.map(([value = null]) => value)],
]);
