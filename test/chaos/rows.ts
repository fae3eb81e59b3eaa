import { joined, type Shape, type Value } from "./columns.ts";
import { encodeRecord } from "./encode.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import { type BadKind, spoil } from "./spoil.ts";

/** A record as it stands in a file. */
export interface Occurrence {
  /** Without its line end. */
  readonly raw: Buffer;
  /** What the target must refuse it for; null when it is good. */
  readonly bad: BadKind | null;
  readonly key: string;
  /** What a good row means; for a bad one, what it will be once it is corrected. In the order of the shape's columns. */
  readonly values: readonly Value[];
}

export interface Rows {
  readonly shape: Shape;
  /** Which column of the shape stands where in the files. */
  readonly order: readonly number[];
  readonly occurrences: readonly Occurrence[];
  /** What the table holds before the load, by key. */
  readonly initial: ReadonlyMap<string, readonly Value[]>;
}

/** All records of a scenario in file order, and what the table holds before them. */
export function makeRows(plan: Plan): Rows {
  const random = new Random(plan.seed).fork("rows");
  const { shape } = plan;
  const order = random.sample([...shape.columns.keys()], shape.columns.length);
  const used = new Set<string>();
  const keys: (readonly Value[])[] = [];
  const occurrences: Occurrence[] = [];
  for (let i = 0; i < plan.rows; i++) {
    const bad = random.chance(plan.badRate);
    const again = plan.duplicateRate > 0 && keys.length > 0 && random.chance(bad ? 0.5 : plan.duplicateRate);
    const key = again ? earlier(random, keys) : fresh(random, shape, used);
    if (!again) keys.push(key);
    const before =
      again && random.chance(0.1) ? occurrences.findLast((o) => o.key === joined(key)) : undefined;
    const values = before?.values ?? [...key, ...rest(random, shape)];
    const fields = order.map((column) => spelled(random, plan, column, values));
    const spoiled = bad ? spoil(random, shape, order, fields, plan.dialect) : null;
    const raw = spoiled?.raw ?? encodeRecord(random, fields, plan.dialect);
    occurrences.push({ raw, bad: spoiled?.kind ?? null, key: joined(key), values });
  }
  return { shape, order, occurrences, initial: makeInitial(random, plan, occurrences, used) };
}

/** Near: within the last fifty keys; far: any. */
function earlier(random: Random, keys: readonly (readonly Value[])[]): readonly Value[] {
  return random.chance(0.5) ? random.pick(keys.slice(-50)) : random.pick(keys);
}

function fresh(random: Random, shape: Shape, used: Set<string>): readonly Value[] {
  for (;;) {
    const key = shape.columns.slice(0, shape.keys).map((column) => column.make(random));
    const name = joined(key);
    if (used.has(name)) continue;
    used.add(name);
    return key;
  }
}

function rest(random: Random, shape: Shape): Value[] {
  return shape.columns.slice(shape.keys).map((column) => column.make(random));
}

function spelled(random: Random, plan: Plan, index: number, values: readonly Value[]): Value {
  const column = plan.shape.columns[index];
  const value = values[index] ?? null;
  const rate = index < plan.shape.keys ? plan.keySpellings : 0.1;
  return column && value !== null && random.chance(rate) ? column.spell(random, value) : value;
}

/** Rows that are not in the files, rows that the load changes, and rows that are as they should be already. */
function makeInitial(
  random: Random,
  plan: Plan,
  occurrences: readonly Occurrence[],
  used: Set<string>,
): Map<string, readonly Value[]> {
  const initial = new Map<string, readonly Value[]>();
  for (let i = 0; i < plan.rows * plan.initialRate * 0.1; i++) {
    const key = fresh(random, plan.shape, used);
    initial.set(joined(key), [...key, ...rest(random, plan.shape)]);
  }
  if (plan.mode === "append") return initial;
  for (const { key, values } of occurrences) {
    if (!random.chance(plan.initialRate)) continue;
    const same = random.chance(plan.sameRate);
    initial.set(key, same ? values : [...values.slice(0, plan.shape.keys), ...rest(random, plan.shape)]);
  }
  return initial;
}
