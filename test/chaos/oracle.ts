import { joined, type Value } from "./columns.ts";
import type { Mode } from "./plan.ts";
import type { Occurrence, Rows } from "./rows.ts";

/** What must be true in the end, computed from what the generator knows and nothing else. */
export interface Oracle {
  /** All rows of the table, each as one text with its stamp, sorted. */
  readonly table: readonly string[];
  readonly bad: readonly Occurrence[];
  /**
   * Of the bad rows those that may be passed over: only a constraint stands against them, which is checked when a
   * row is stored, and another row with the same key may be stored in their place.
   */
  readonly overtaken: ReadonlySet<Occurrence>;
  /** By key: the good rows that came for it, in file order, as texts. */
  readonly arrivals: ReadonlyMap<string, readonly string[]>;
  /** By key: the row the table held before, as text. */
  readonly initial: ReadonlyMap<string, string>;
  /** At least so many rows must be inserted or changed. */
  readonly leastEffects: number;
}

/** The files applied to the initial rows; then, after a replay, the corrected rows on top, in the order of their file. */
export function oracle(mode: Mode, rows: Rows, corrected: readonly Occurrence[] = []): Oracle {
  const good = rows.occurrences.filter(({ bad }) => bad === null);
  const bad = rows.occurrences.filter((occurrence) => occurrence.bad !== null);
  const arrivals = new Map<string, string[]>();
  for (const { key, values } of [...good, ...corrected]) {
    const list = arrivals.get(key);
    if (list) list.push(joined(values));
    else arrivals.set(key, [joined(values)]);
  }
  const initial = new Map([...rows.initial].map(([key, values]) => [key, joined(values)]));
  const final = finalRows(mode, initial, arrivals);
  return {
    table: final.map(({ row, stamp }) => withStamp(row, stamp)).sort(),
    bad,
    overtaken: overtaken(mode, rows.occurrences, rows.initial, ({ bad }) => bad === null),
    arrivals,
    initial,
    leastEffects: final.filter(({ changed }) => changed).length,
  };
}

/**
 * Of rows in this order the bad ones that may be passed over, because another row has their key: with `update` a later
 * good one, with `ignore` one that is there before.
 */
export function overtaken(
  mode: Mode,
  occurrences: readonly Occurrence[],
  there: ReadonlyMap<string, unknown>,
  isGood: (occurrence: Occurrence) => boolean,
): Set<Occurrence> {
  if (mode === "append") return new Set();
  const others = new Set(mode === "ignore" ? there.keys() : []);
  const inOrder = mode === "update" ? occurrences.toReversed() : occurrences;
  return new Set(
    inOrder.filter((occurrence) => {
      const good = isGood(occurrence);
      if (good) others.add(occurrence.key);
      return !good && (occurrence.bad === "check" || occurrence.bad === "null") && others.has(occurrence.key);
    }),
  );
}

function finalRows(
  mode: Mode,
  initial: ReadonlyMap<string, string>,
  arrivals: ReadonlyMap<string, readonly string[]>,
): { row: string; stamp: string; changed: boolean }[] {
  const final = [];
  for (const [key, row] of initial) {
    const last = mode === "update" ? (arrivals.get(key)?.at(-1) ?? row) : row;
    final.push({ row: last, stamp: "old", changed: last !== row });
  }
  for (const [key, list] of arrivals) {
    if (mode === "append") final.push(...list.map((row) => ({ row, stamp: "new", changed: true })));
    else if (!initial.has(key)) {
      final.push({ row: (mode === "ignore" ? list[0] : list.at(-1)) as string, stamp: "new", changed: true });
    }
  }
  return final;
}

export function withStamp(row: string, stamp: Value): string {
  return joined([row, stamp]);
}
