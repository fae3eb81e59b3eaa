import { resolve } from "node:path";
import { assertOptions, assertText, quoted, shown } from "../../arguments.ts";
import type { Sink, Source } from "../../batch/contract.ts";
import type { RunSummary } from "../../batch/index.ts";
import { type Duration, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { Batch } from "../engine/contract.ts";
import { type Columns, columnsProxy, fieldNamed } from "../expr/columns.ts";
import {
  aggregate,
  BuiltExpression,
  type Condition,
  count,
  type Expression,
  type ExpressionLike,
  type OrderLike,
  type WithNull,
} from "../expr/expression.ts";
import type { NamedExpression } from "../expr/node.ts";
import type { GraphFormat } from "../graph/description.ts";
import { type PartitionFunction, type PartitionOptions, partitionPlan } from "../parts/map-partitions.ts";
import type { PlanNode } from "../plan/node.ts";
import {
  type ColumnField,
  type ColumnType,
  type FrameSchema,
  fieldsOf,
  isNumber,
  type Row,
  type text,
  typeText,
  type ValueOf,
} from "../schema/column-type.ts";
import { FrameSource } from "../source/frame-source.ts";
import { type IntoOptions, intoSink } from "../source/into.ts";
import { CacheStage, defaultCacheFolder } from "./cache.ts";
import { type FillGapsOptions, fillGapsPlan } from "./fill-gaps.ts";
import type {
  ColumnOfLists,
  Exploded,
  Flat,
  Joined,
  KeyedJoin,
  KeyPairs,
  NoClash,
  NotNull,
  Nullable,
  NumberColumn,
  Over,
  Renamed,
  SameColumns,
  SamePairs,
  SchemaOf,
  SharedColumn,
  UnionOf,
  Without,
} from "./frame-types.ts";
import { groupPlan } from "./group-plan.ts";
import { type AsofOptions, asofPlan, crossPlan, type JoinOptions, joinPlan } from "./join-plan.ts";
import { type PivotOptions, pivotPlan, type UnpivotOptions, unpivotPlan } from "./pivot-plan.ts";
import { collectRows, countRows, frameBatches, frameRows } from "./results.ts";
import type { FrameRunOptions } from "./run.ts";
import { type SummarySchema, summaryPlan } from "./summary.ts";
import {
  columnNamed,
  columnNode,
  conditionOf,
  isCallback,
  namedOf,
  namesOf,
  orderOf,
  projected,
  refuseAggregates,
  rowsOf,
} from "./verbs.ts";
import { type ExplainOptions, explainPlan, graphPlan, planText, showRows } from "./views.ts";
import {
  type WriteCsvOptions,
  type WriteJsonlOptions,
  type WriteParquetOptions,
  type WriteResult,
  writeCsv,
  writeJsonl,
  writeParquet,
} from "./write.ts";

/** An order: the name of a column, names, names with directions, or a callback. Nulls come last, whatever the direction. */
export type FrameOrder<S extends FrameSchema> =
  | (keyof S & string)
  | readonly (keyof S & string)[]
  | { readonly [C in keyof S]?: "asc" | "desc" }
  | ((columns: Columns<S>) => OrderLike | readonly OrderLike[]);

/** Which rows a sample takes. */
export interface SampleOptions {
  /** The share of the rows, from 0 to 1: each is drawn with this probability. */
  readonly fraction?: number;
  /** How many rows, in place of a share. */
  readonly rows?: number;
  /** Another seed draws other rows; the same seed draws the same rows of the same input. @default 0 */
  readonly seed?: number;
}

/**
 * Rows that may be more than memory holds, and what is to be done with them: nothing runs before a result is asked for. A frame never
 * changes; every verb gives a new one.
 *
 * @example
 * ```ts
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "bob", amount: 300 }]);
 * const large = await sales.filter((c) => c.amount.gt(100)).collect();
 * console.log(large.length); // 1
 * ```
 */
export class Frame<S extends FrameSchema = FrameSchema> {
  readonly #plan: PlanNode;
  /** Only for the compiler: the columns. */
  declare readonly " schema"?: S;

  /** Not called by programs: use `readCsv`, `readParquet`, `readJsonl`, `readTable` or `fromRows`. */
  constructor(plan: PlanNode) {
    this.#plan = plan;
  }

  /** The plan as data, for engines and tools. */
  get plan(): PlanNode {
    return this.#plan;
  }

  /** The columns with their types, in order. */
  get fields(): readonly ColumnField[] {
    return this.#plan.fields;
  }

  /** Only the rows for which the condition is true; where it is null, a row is left out. */
  filter(condition: (columns: Columns<S>) => Condition): Frame<S> {
    assertCallback(condition, "filter()");
    const where = conditionOf(condition(this.#columns()), "filter()");
    return new Frame({ kind: "filter", input: this.#plan, where, fields: this.fields });
  }

  /** All columns, and new ones, or new values for those that are there. */
  with<const R extends Readonly<Record<string, ExpressionLike>>>(
    make: (columns: Columns<S>) => R,
  ): Frame<Over<S, SchemaOf<R>>> {
    assertCallback(make, "with()");
    const made = namedOf(make(this.#columns()), "with()");
    refuseAggregates(made, "with()");
    return this.#with(made, "with()");
  }

  /**
   * Only these columns, in this order: names, or a callback that gives each column its expression.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
   * sales.select("user");
   * sales.select((c) => ({ user: c.user, cents: c.amount.mul(100) }));
   * ```
   */
  select<const C extends keyof S & string>(...names: readonly C[]): Frame<Flat<Pick<S, C>>>;
  select<const R extends Readonly<Record<string, ExpressionLike>>>(
    make: (columns: Columns<S>) => R,
  ): Frame<SchemaOf<R>>;
  select(...given: readonly unknown[]): Frame {
    const [make] = given;
    if (!isCallback(make))
      return this.#project(
        namesOf(given, this.fields, "select()").map((name) => columnNamed(name, this.fields)),
        "select()",
      );
    const made = namedOf(make(this.#columns(), undefined), "select()");
    refuseAggregates(made, "select()");
    return this.#project(made, "select()");
  }

  /** All columns but these. */
  drop<const C extends keyof S & string>(...names: readonly C[]): Frame<Without<S, C>> {
    const dropped = new Set(namesOf(names, this.fields, "drop()"));
    return this.#project(
      this.fields.filter(({ name }) => !dropped.has(name)).map(({ name }) => columnNamed(name, this.fields)),
      "drop()",
    );
  }

  /** Some columns under other names: `{ old: "new" }`. They stay where they are. */
  rename<const R extends { readonly [C in keyof S]?: string }>(
    names: R & { readonly [C in Exclude<keyof R, keyof S>]: never },
  ): Frame<Renamed<S, R>> {
    if (typeof names !== "object" || names === null)
      throw new PawlError("data.argument", `rename() needs { old: "new" }, not ${shown(names)}.`);
    const given = new Map(Object.entries(names as Readonly<Record<string, unknown>>));
    for (const [old, name] of given) {
      fieldNamed(old, this.fields);
      if (typeof name !== "string")
        throw new PawlError("data.argument", `rename() gives ${quoted(old)} a name, not ${shown(name)}.`);
    }
    const columns = this.fields.map(({ name }) => ({
      name: (given.get(name) as string | undefined) ?? name,
      expression: columnNode(name, this.fields),
    }));
    const taken = new Set<string>();
    for (const { name } of columns) {
      if (taken.has(name)) throw new PawlError("data.column", `rename() makes two columns ${quoted(name)}.`);
      taken.add(name);
    }
    return this.#project(columns, "rename()");
  }

  /**
   * Groups of rows with equal keys, of which `agg` makes one row each; nulls are equal to each other. The keys are names of columns, or a callback that
   * gives each key its expression.
   */
  groupBy<const C extends keyof S & string>(...names: readonly C[]): Group<S, Flat<Pick<S, C>>>;
  groupBy<const R extends Readonly<Record<string, ExpressionLike>>>(
    make: (columns: Columns<S>) => R,
  ): Group<S, SchemaOf<R>>;
  groupBy(...given: readonly unknown[]): object {
    const [make] = given;
    const keys = isCallback(make)
      ? namedOf(make(this.#columns(), undefined), "groupBy()")
      : namesOf(given, this.fields, "groupBy()").map((name) => columnNamed(name, this.fields));
    refuseAggregates(keys, "groupBy()");
    if (keys.length === 0)
      throw new PawlError(
        "data.argument",
        "groupBy() needs at least one column: agg() takes all rows as one group.",
      );
    return new Group<S, FrameSchema>(this.#plan, keys);
  }

  /** One row: aggregates of all rows. Each may be null, since there may be no rows; `count()` is 0 then. */
  agg<const R extends Readonly<Record<string, Expression<ColumnType, "group">>>>(
    make: (columns: Columns<Nullable<S>>) => R,
  ): Frame<SchemaOf<R>> {
    return new Frame(groupPlan(this.#plan, [], make));
  }

  /**
   * Rows of this frame (the left) and another one (the right) that belong together: on columns of one name, on pairs of names
   * `{ left: "right" }`, or on any condition. A key stands in the result once, under its name in the left; of a condition, all columns of both.
   * A null key belongs to nothing.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
   * const users = fromRows({ name: text(), country: text() }, [{ name: "ada", country: "UK" }]);
   * const rows = await sales.join(users, { user: "name" }, { how: "left" }).collect();
   * console.log(rows[0]?.country); // UK
   * ```
   */
  join<
    T extends FrameSchema,
    const C extends SharedColumn<S, T>,
    const H extends KeyedJoin = "inner",
    const X extends string | undefined = undefined,
  >(
    other: Frame<T> & NoClash<S, T, C, H, X>,
    on: C | readonly C[],
    options?: JoinOptions<H, X>,
  ): Frame<Joined<S, T, SamePairs<C>, H, X>>;
  join<
    T extends FrameSchema,
    const P extends KeyPairs<S, T> & object,
    const H extends KeyedJoin = "inner",
    const X extends string | undefined = undefined,
  >(
    other: Frame<T> & NoClash<S, T, P[keyof P], H, X>,
    on: P & { readonly [C in Exclude<keyof P, keyof S>]: never },
    options?: JoinOptions<H, X>,
  ): Frame<Joined<S, T, P, H, X>>;
  join<
    T extends FrameSchema,
    const H extends KeyedJoin = "inner",
    const X extends string | undefined = undefined,
  >(
    other: Frame<T> & NoClash<S, T, never, H, X>,
    on: (left: Columns<S>, right: Columns<T>) => Condition,
    options?: JoinOptions<H, X>,
  ): Frame<Joined<S, T, Record<never, never>, H, X>>;
  join(other: unknown, on: unknown, options: JoinOptions = {}): object {
    return new Frame<FrameSchema>(joinPlan(this.#plan, planOf(other, "join()"), on, options));
  }

  /** Every row of this frame with every row of the other. */
  cross<T extends FrameSchema, const X extends string | undefined = undefined>(
    other: Frame<T> & NoClash<S, T, never, "inner", X>,
    options: { readonly suffix?: X } = {},
  ): Frame<Joined<S, T, Record<never, never>, "inner", X>> {
    return new Frame(crossPlan(this.#plan, planOf(other, "cross()"), options));
  }

  /**
   * Each row with the nearest row of another frame at or before it in `on` (or, forward, at or after it); its columns are null where there is
   * none.
   *
   * @example
   * ```ts
   * const trades = fromRows({ symbol: text(), at: int32() }, [{ symbol: "A", at: 5 }]);
   * const quotes = fromRows({ symbol: text(), time: int32(), price: float64() }, [{ symbol: "A", time: 3, price: 9.5 }]);
   * const rows = await trades.asof(quotes, { at: "time" }, { by: "symbol" }).collect();
   * console.log(rows[0]?.price); // 9.5
   * ```
   */
  asof<
    T extends FrameSchema,
    const P extends KeyPairs<S, T> & object,
    const C extends SharedColumn<S, T> = never,
    const X extends string | undefined = undefined,
  >(
    other: Frame<T> & NoClash<S, T, C, "left", X>,
    on: P & { readonly [D in Exclude<keyof P, keyof S>]: never },
    options?: AsofOptions<C, X>,
  ): Frame<Joined<S, T, SamePairs<C>, "left", X>> {
    return new Frame(asofPlan(this.#plan, planOf(other, "asof()"), on, options ?? {}));
  }

  /**
   * The rows in an order; nulls come last, whatever the direction. An order lasts through `filter`, `with`, `select` and `limit`, and no further.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "bob", amount: 300 }]);
   * const rows = await sales.sort({ amount: "desc" }).collect();
   * console.log(rows[0]?.user); // bob
   * ```
   */
  sort(order: FrameOrder<S>): Frame<S> {
    const keys = orderOf(order, this.#plan, "sort()");
    return new Frame({ kind: "sort", input: this.#plan, keys, limit: null, fields: this.fields });
  }

  /** The first rows of an order: the largest of a column or expression, or the first by an order with directions. */
  top(rows: number, by: FrameOrder<S>): Frame<S> {
    const limit = rowsOf(rows, "What top() is given");
    const keys = orderOf(by, this.#plan, "top()", true);
    return new Frame({ kind: "sort", input: this.#plan, keys, limit, fields: this.fields });
  }

  /** At most so many rows: the first of an order, or, where there is none, any. */
  limit(rows: number): Frame<S> {
    const given = rowsOf(rows, "What limit() is given");
    return new Frame({ kind: "limit", input: this.#plan, count: given, offset: 0, fields: this.fields });
  }

  /** All rows but so many: the first of an order, or, where there is none, any. */
  offset(rows: number): Frame<S> {
    const offset = rowsOf(rows, "What offset() is given");
    return new Frame({
      kind: "limit",
      input: this.#plan,
      count: Number.MAX_SAFE_INTEGER,
      offset,
      fields: this.fields,
    });
  }

  /**
   * Rows that differ: in all columns, or, where some are named, one row for each of their values, the first in the order.
   *
   * @example
   * ```ts
   * const log = fromRows({ user: text(), at: int32() }, [{ user: "ada", at: 1 }, { user: "ada", at: 2 }]);
   * const latest = await log.distinct("user", { order: { at: "desc" } }).collect();
   * console.log(latest[0]?.at); // 2
   * ```
   */
  distinct(): Frame<S>;
  distinct(
    on: (keyof S & string) | readonly (keyof S & string)[],
    options: { readonly order: FrameOrder<S> },
  ): Frame<S>;
  distinct(on?: unknown, options: { readonly order?: unknown } = {}): Frame<S> {
    if (on === undefined)
      return new Frame({ kind: "distinct", input: this.#plan, on: null, orderBy: [], fields: this.fields });
    assertOptions(options, { order: true }, "distinct");
    const names = namesOf([on], this.fields, "distinct()");
    if (names.length === 0) throw new PawlError("data.argument", "distinct() needs at least one column.");
    if (options.order === undefined)
      throw new PawlError(
        "data.argument",
        'distinct() of some columns needs an order, which says which of the rows stays: { order: { time: "desc" } }.',
      );
    const orderBy = orderOf(options.order, this.#plan, "distinct()");
    return new Frame({ kind: "distinct", input: this.#plan, on: names, orderBy, fields: this.fields });
  }

  /** The rows of this frame and of another one with the same columns, which are matched by name. */
  union<T extends SameColumns<S>>(
    other: Frame<T> &
      (keyof T extends keyof S ? unknown : { readonly "not here": Exclude<keyof T, keyof S> }),
  ): Frame<UnionOf<S, T>> {
    const right = planOf(other, "union()");
    for (const { name } of right.fields) fieldNamed(name, this.fields);
    const fields = this.fields.map(({ name, type }) => {
      const partner = fieldNamed(name, right.fields).type;
      if (typeText(type.notNull()) !== typeText(partner.notNull()))
        throw new PawlError(
          "data.types",
          `union() needs the same types, and the column ${quoted(name)} is ${typeText(type)} here and ${typeText(partner)} there: cast one of them.`,
        );
      return { name, type: partner.isNullable ? type.nullable() : type };
    });
    return new Frame({ kind: "union", inputs: [this.#plan, right], fields });
  }

  /**
   * A column for each listed value of `on`, with an aggregate of the rows that have it; a row for each value of the columns `by`.
   *
   * @example
   * ```ts
   * const log = fromRows({ day: text(), level: text() }, [{ day: "mon", level: "ERROR" }, { day: "mon", level: "WARN" }]);
   * const days = log.pivot({ by: ["day"], on: "level", columns: ["ERROR", "WARN"], values: () => count() });
   * const rows = await days.collect();
   * console.log(Object.keys(rows[0] ?? {})); // [ 'day', 'ERROR', 'WARN' ]
   * ```
   */
  pivot<
    const B extends keyof S & string,
    const C extends string | number | boolean,
    E extends Expression<ColumnType, "group">,
  >(
    options: PivotOptions<S, B, C, E>,
  ): Frame<
    Flat<Pick<S, B> & { readonly [N in `${C}`]: E extends Expression<infer T, "group"> ? T : never }>
  > {
    return new Frame(pivotPlan(this.#plan, options as unknown as PivotOptions));
  }

  /**
   * A row for each of the named columns, with the name in one column and the value in another; the other columns are repeated.
   *
   * @example
   * ```ts
   * const wide = fromRows({ id: int32(), a: float64(), b: float64() }, [{ id: 1, a: 0.5, b: 2 }]);
   * const long = await wide.unpivot({ columns: ["a", "b"], name: "key", value: "amount" }).collect();
   * console.log(long.length); // 2
   * ```
   */
  unpivot<
    const C extends keyof S & string,
    const N extends string = "name",
    const V extends string = "value",
  >(
    options: UnpivotOptions<C, N, V>,
  ): Frame<Flat<Omit<S, C> & { readonly [K in N]: ReturnType<typeof text> } & { readonly [K in V]: S[C] }>> {
    return new Frame(unpivotPlan(this.#plan, options));
  }

  /** A row for each element of a list. A row whose list is empty or null is left out, or, with `keepEmpty`, has a null. */
  explode<const C extends ColumnOfLists<S>, const E extends boolean = false>(
    column: C,
    options: { readonly keepEmpty?: E } = {},
  ): Frame<Exploded<S, C, E>> {
    assertOptions(options, { keepEmpty: true }, "explode");
    const { type } = fieldNamed(column, this.fields);
    if (type.kind !== "list" || type.of === undefined)
      throw new PawlError(
        "data.types",
        `explode() needs a list, and the column ${quoted(column)} is ${typeText(type)}.`,
      );
    const keepEmpty = options.keepEmpty === true;
    const element = keepEmpty ? type.of.nullable() : type.of;
    const fields = this.fields.map((field) =>
      field.name === column ? { name: column, type: element } : field,
    );
    return new Frame({ kind: "explode", input: this.#plan, column, keepEmpty, fields });
  }

  /**
   * Some rows at random: a share of them, or so many. The same seed draws the same rows of the same input, whatever the number of threads.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "bob", amount: 300 }]);
   * const one = await sales.sample({ rows: 1, seed: 7 }).collect();
   * console.log(one.length); // 1
   * ```
   */
  sample(options: SampleOptions): Frame<S> {
    assertOptions(options, { fraction: true, rows: true, seed: true }, "sample");
    const { fraction, rows, seed = 0 } = options;
    if ((fraction === undefined) === (rows === undefined))
      throw new PawlError(
        "data.argument",
        "sample() needs either a fraction such as 0.01, or a number of rows.",
      );
    if (fraction !== undefined && !(fraction >= 0 && fraction <= 1))
      throw new PawlError(
        "data.argument",
        `The fraction of sample() is from 0 to 1, not ${shown(fraction)}.`,
      );
    if (!Number.isSafeInteger(seed))
      throw new PawlError("data.argument", `The seed of sample() is a whole number, not ${shown(seed)}.`);
    return new Frame({
      kind: "sample",
      input: this.#plan,
      fraction: fraction ?? null,
      rows: rows === undefined ? null : rowsOf(rows, "The rows of sample()"),
      seed,
      fields: this.fields,
    });
  }

  /**
   * Values in the place of nulls: `{ amount: 0 }`.
   *
   * @example
   * ```ts
   * const sales = fromRows({ amount: float64().nullable() }, [{ amount: null }]);
   * const rows = await sales.fillNull({ amount: 0 }).collect();
   * console.log(rows[0]?.amount); // 0
   * ```
   */
  fillNull<const R extends { readonly [C in keyof S]?: NonNullable<ValueOf<S[C]>> | Expression }>(
    values: R & { readonly [C in Exclude<keyof R, keyof S>]: never },
  ): Frame<NotNull<S, keyof R>> {
    if (typeof values !== "object" || values === null)
      throw new PawlError(
        "data.argument",
        `fillNull() needs values such as { amount: 0 }, not ${shown(values)}.`,
      );
    const made = Object.entries(values as Readonly<Record<string, unknown>>).map(([name, value]) => ({
      name,
      expression: new BuiltExpression(columnNode(name, this.fields)).fillNull(value).node,
    }));
    return this.#with(made, "fillNull()");
  }

  /** Only rows without a null in these columns; without names, in any column. */
  dropNull<const C extends keyof S & string = keyof S & string>(
    ...names: readonly C[]
  ): Frame<NotNull<S, C>> {
    const given = namesOf(names, this.fields, "dropNull()");
    const wanted = new Set(given.length === 0 ? this.fields.map(({ name }) => name) : given);
    const nullable = this.fields.filter(({ name, type }) => wanted.has(name) && type.isNullable);
    const [first, ...others] = nullable.map(({ name }) =>
      new BuiltExpression(columnNode(name, this.fields)).isNotNull(),
    );
    if (first === undefined) return this as unknown as Frame<NotNull<S, C>>;
    const where = others.reduce((all, one) => all.and(one), first).node;
    const fields = this.fields.map(({ name, type }) => ({
      name,
      type: wanted.has(name) ? type.notNull() : type,
    }));
    return new Frame({ kind: "filter", input: this.#plan, where, fields });
  }

  /**
   * How often each value of these columns comes, the most frequent first.
   *
   * @example
   * ```ts
   * const log = fromRows({ level: text() }, [{ level: "ERROR" }, { level: "INFO" }, { level: "ERROR" }]);
   * const [most] = await log.valueCounts("level").collect();
   * console.log(most?.level); // ERROR
   * ```
   */
  valueCounts<const C extends keyof S & string>(
    ...names: readonly C[]
  ): Frame<Over<Flat<Pick<S, C>>, SchemaOf<{ readonly count: ReturnType<typeof count> }>>> {
    const counted = this.groupBy(...names).agg(() => ({ count: count() }) as never) as unknown as Frame;
    return new Frame({
      kind: "sort",
      input: counted.plan,
      keys: [
        { by: columnNode("count", counted.fields), descending: true },
        ...namesOf(names, this.fields, "valueCounts()").map((name) => ({
          by: columnNode(name, counted.fields),
          descending: false,
        })),
      ],
      limit: null,
      fields: counted.fields,
    });
  }

  /**
   * New columns by a function of TypeScript, in the workers of a pool: it is given the input columns of some thousand rows at once, as
   * typed arrays, and gives the output columns.
   *
   * @example
   * ```ts
   * const sales = fromRows({ amount: float64() }, [{ amount: 12 }]);
   * const scored = sales.mapPartitions(({ amount }) => ({ score: amount.map((each) => each / 100) }), {
   *   input: ["amount"],
   *   output: { score: float64() },
   * });
   * ```
   */
  mapPartitions<
    const C extends keyof S & string,
    const O extends FrameSchema,
    B extends Readonly<Record<string, unknown>> = Readonly<Record<string, never>>,
    Init = undefined,
  >(
    fn: PartitionFunction<Pick<S, C>, O, B, Init>,
    options: PartitionOptions<C, O, B, Init>,
  ): Frame<Over<S, O>> {
    return new Frame(partitionPlan(this.#plan, fn as never, options as never));
  }

  /**
   * The same frame with its columns declared: a fresh start for the compiler after very many verbs, or after `sql`. It throws where the
   * columns or their types are others.
   */
  as<const T extends FrameSchema>(schema: T): Frame<T> {
    const declared = fieldsOf(schema, "as()");
    for (const { name } of this.fields) fieldNamed(name, declared);
    for (const { name, type } of declared) {
      const found = fieldNamed(name, this.fields).type;
      const fits =
        typeText(found.notNull()) === typeText(type.notNull()) && (type.isNullable || !found.isNullable);
      if (!fits)
        throw new PawlError(
          "data.types",
          `as() declares the column ${quoted(name)} as ${typeText(type)}, and it is ${typeText(found)}: cast it with with().`,
        );
    }
    return this.#project(
      declared.map(({ name }) => columnNamed(name, this.fields)),
      "as()",
    );
  }

  /**
   * A row for every step of time from the first to the last: all rows as they are, and for each step that has none a row with nulls; with `by`, for
   * every combination of those columns.
   *
   * @example
   * ```ts
   * const days = fromRows({ day: date(), n: int32() }, [{ day: "2026-01-01", n: 5 }, { day: "2026-01-03", n: 7 }]);
   * const whole = await days.fillGaps({ column: "day", every: "1d" }).fillNull({ n: 0 }).sort("day").collect();
   * console.log(whole.map(({ n }) => n)); // [ 5, 0, 7 ]
   * ```
   */
  fillGaps<const C extends keyof S & string, const B extends keyof S & string = never>(
    options: FillGapsOptions<C, B>,
  ): Frame<{ readonly [K in keyof S]: K extends C | B ? S[K] : WithNull<S[K], true> }> {
    return new Frame(fillGapsPlan(this.#plan, options));
  }

  /**
   * A row for each column: how many values and nulls it has, how many differ, and, of numbers, their mean, spread and quartiles.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "bob", amount: 300 }]);
   * const rows = await sales.describe().collect();
   * console.log(rows[1]?.mean); // 156
   * ```
   */
  describe(): Frame<SummarySchema> {
    return new Frame(summaryPlan(this.#plan));
  }

  /** The correlation of two columns of numbers; null for fewer than two rows, or where one does not vary. */
  async corr(
    one: NumberColumn<S>,
    other: NumberColumn<S>,
    options: FrameRunOptions = {},
  ): Promise<number | null> {
    const of = [one, other].map((name) => {
      const { type } = fieldNamed(name, this.fields);
      if (isNumber(type.kind)) return columnNode(name, this.fields);
      throw new PawlError(
        "data.types",
        `corr() needs columns of numbers, and ${quoted(name)} is ${typeText(type)}.`,
      );
    });
    const plan = groupPlan(this.#plan, [], () => ({ corr: aggregate("corr", of) }));
    const [row] = await collectRows(plan, options);
    return row?.corr as number | null;
  }

  /**
   * The same rows, kept on disk from the first result on that needs them: they are worked out again only where the plan or one of its
   * files is another. Several programs may use one folder at a time, and `await using` removes the rows at the end of a block.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
   * await using perUser = sales.groupBy("user").agg((c) => ({ total: c.amount.sum() })).cache();
   * console.log(await perUser.count()); // 1
   * ```
   * @throws PawlError `data.cache` in the run, where the plan reads what does not tell whether it has changed and `maxAge` is not given
   */
  cache(options: CacheOptions = {}): CachedFrame<S> {
    assertOptions(options, { folder: true, budget: true, maxAge: true }, "cache");
    const { folder = defaultCacheFolder(), budget = "10GB", maxAge } = options;
    assertText(folder, "The folder of cache()");
    const stage = new CacheStage({
      folder: resolve(folder),
      budget: bytes(budget, "The budget of cache()"),
      maxAge: maxAge === undefined ? null : milliseconds(maxAge, "The maxAge of cache()"),
    });
    return new CachedFrame(this.#plan, stage);
  }

  /**
   * All rows in memory. A result that does not fit into a quarter of the memory of the run is refused with its number of rows.
   *
   * @throws PawlError `data.too-large` where the rows are more than memory takes: write them, or go through `rows()`
   */
  async collect(options: FrameRunOptions = {}): Promise<Row<S>[]> {
    return (await collectRows(this.#plan, options)) as Row<S>[];
  }

  /** The first rows of the result. @default 5 */
  async head(rows = 5, options: FrameRunOptions = {}): Promise<Row<S>[]> {
    return await this.limit(rows).collect(options);
  }

  /** The first row of the result; undefined where there is none. */
  async first(options: FrameRunOptions = {}): Promise<Row<S> | undefined> {
    const [row] = await this.limit(1).collect(options);
    return row;
  }

  /** How many rows there are. */
  async count(options: FrameRunOptions = {}): Promise<number> {
    return await countRows(this.#plan, options);
  }

  /**
   * The rows one by one, however many there are. Leaving the loop ends the run; a run that fails throws in the loop, and never ends it early.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
   * for await (const row of sales.rows()) console.log(row.user); // ada
   * ```
   */
  rows(options: FrameRunOptions = {}): AsyncGenerator<Row<S>, void, undefined> {
    return frameRows(this.#plan, options) as AsyncGenerator<Row<S>, void, undefined>;
  }

  /** The rows by column, some thousand at a time: typed arrays for numbers, see `Batch`. */
  batches(options: FrameRunOptions = {}): AsyncGenerator<Batch, void, undefined> {
    return frameBatches(this.#plan, options);
  }

  /**
   * Prints the first rows as an aligned table, as wide as the terminal; elsewhere nothing is cut.
   *
   * @param rows how many rows are shown
   * @default 10 rows
   */
  async show(rows = 10, options: FrameRunOptions = {}): Promise<void> {
    await showRows(this.#plan, rowsOf(rows, "What show() is given"), options);
  }

  /**
   * What the engine is going to do, step by step, and whether each step goes row by row, spills to disk or has to fit into memory. With `run`
   * it is done, and rows and times are in it. Stages that run before the engine, such as `mapPartitions`, run in either case.
   */
  async explain(options: ExplainOptions = {}): Promise<string> {
    return await explainPlan(this.#plan, options);
  }

  /** The same as a graph, for Graphviz, Mermaid or as a picture. @default "mermaid" */
  async graph(format: GraphFormat = "mermaid", options: ExplainOptions = {}): Promise<string> {
    return await graphPlan(this.#plan, format, options);
  }

  /** The query in the engine's own language, with files as they were given; for people to look at. */
  async sql(options: FrameRunOptions = {}): Promise<string> {
    return await planText(this.#plan, options);
  }

  /**
   * Writes the rows as Parquet: one file where the path ends in `.parquet`, else a folder, with a folder for each value of `partitionBy`.
   * Others see all of it or nothing: files are made beside the target, counted, flushed and renamed. Missing folders above it are made.
   *
   * @throws PawlError `data.target-exists` where something is there and neither `overwrite` nor `append` is given; `data.target` for what
   * cannot be a target; `data.partition` for a value that cannot be the name of a folder; `data.permission`, `data.disk-full`
   * @example
   * ```ts
   * const sales = fromRows({ year: int32(), amount: float64() }, [{ year: 2025, amount: 12 }, { year: 2026, amount: 30 }]);
   * const { rows, files } = await sales.writeParquet("sales", { partitionBy: ["year"], compression: "zstd", overwrite: true });
   * console.log(rows, files.length); // 2 2
   * ```
   */
  async writeParquet(path: string, options: WriteParquetOptions<S> = {}): Promise<WriteResult> {
    return await writeParquet(this.#plan, path, options as WriteParquetOptions);
  }

  /**
   * Writes the rows as one CSV file, which appears whole or not at all: UTF-8, a header, `"` around values that need it. A null is an empty value, an
   * empty text is `""`; moments are ISO texts, lists and structs JSON, bytes as the engine's text (`\\x00`).
   *
   * @throws PawlError as `writeParquet` does
   */
  async writeCsv(path: string, options: WriteCsvOptions = {}): Promise<WriteResult> {
    return await writeCsv(this.#plan, path, options);
  }

  /**
   * Writes the rows as one file of JSON lines, which appears whole or not at all: an int64 is a number with all its digits, a decimal, date, moment or UUID is
   * text, as rows have it.
   *
   * @throws PawlError as `writeParquet` does; `data.json` for NaN and infinity, which JSON has no numbers for
   */
  async writeJsonl(path: string, options: WriteJsonlOptions = {}): Promise<WriteResult> {
    return await writeJsonl(this.#plan, path, options);
  }

  /**
   * The rows as the source of a job: the frame is run once, when the job begins, and a run that was killed continues with the rows that it began with.
   *
   * @example
   * ```ts
   * import { defineJob } from "pawl/batch";
   * import { postgres } from "pawl/connect/postgres";
   *
   * const people = fromRows({ id: int32(), name: text() }, [{ id: 1, name: "Ada" }]);
   * const job = defineJob({
   *   name: "people",
   *   source: people.source(),
   *   sink: postgres({ url: process.env.DATABASE_URL ?? "", table: "people" }),
   * });
   * ```
   */
  source(options: FrameRunOptions = {}): Source<Row<S>> {
    return new FrameSource<Row<S>>(this.#plan, options);
  }

  /**
   * Puts the rows into a sink such as `postgres()`, each exactly once: a run that was killed continues where it stopped when the same is
   * asked again.
   *
   * @throws RunFailedError `run.failed` and the like, with what was done so far
   * @example
   * ```ts
   * import { postgres } from "pawl/connect/postgres";
   *
   * const people = fromRows({ id: int32(), name: text() }, [{ id: 1, name: "Ada" }]);
   * const load = async (url: string) =>
   *   await people.into(postgres({ url, table: "people", create: true, key: ["id"] }), { name: "people" });
   * ```
   */
  async into(
    sink: Sink<Row<S>> | Sink<Record<string, unknown>>,
    options: IntoOptions = {},
  ): Promise<RunSummary> {
    return await intoSink(this.#plan, sink as Sink<Row<S>>, options);
  }

  #columns(): Columns<S> {
    return columnsProxy<S>(this.fields);
  }

  #with<T extends FrameSchema>(made: readonly NamedExpression[], verb: string): Frame<T> {
    const byName = new Map(made.map((column) => [column.name, column]));
    const own = new Set(this.fields.map(({ name }) => name));
    const kept = this.fields.map(
      ({ name, type }): NamedExpression =>
        byName.get(name) ?? { name, expression: { kind: "column", name, type } },
    );
    return this.#project([...kept, ...made.filter(({ name }) => !own.has(name))], verb);
  }

  #project<T extends FrameSchema>(columns: readonly NamedExpression[], verb: string): Frame<T> {
    return new Frame(projected(this.#plan, columns, verb));
  }
}

/** Groups of rows, of which `agg` makes one row each. */
export class Group<S extends FrameSchema, K extends FrameSchema> {
  readonly #input: PlanNode;
  readonly #keys: readonly NamedExpression[];

  /** Not called by programs: use `frame.groupBy`. */
  constructor(input: PlanNode, keys: readonly NamedExpression[]) {
    this.#input = input;
    this.#keys = keys;
  }

  /**
   * A row for each group: its keys, and these aggregates.
   *
   * @example
   * ```ts
   * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "ada", amount: 30 }]);
   * const [ada] = await sales.groupBy("user").agg((c) => ({ total: c.amount.sum() })).collect();
   * console.log(ada?.total); // 42
   * ```
   */
  agg<const R extends Readonly<Record<string, Expression<ColumnType, "group">>>>(
    make: (columns: Columns<S>) => R & { readonly [C in keyof K]?: never },
  ): Frame<Over<K, SchemaOf<R>>> {
    return new Frame(groupPlan(this.#input, this.#keys, make));
  }
}

/** How long results are kept, and where. */
export interface CacheOptions {
  /** The folder of all results. @default ".pawl/cache" */
  readonly folder?: string;
  /** Bytes that all results together may take: what was used longest ago makes way. @default "10GB" */
  readonly budget?: Size;
  /**
   * How old a result may be. Needed for tables and addresses of the web, which do not tell whether they have changed.
   * @default any age, while the files it was made from are the same
   */
  readonly maxAge?: Duration;
}

/** A frame whose rows are kept on disk once they have been worked out. */
export class CachedFrame<S extends FrameSchema = FrameSchema> extends Frame<S> implements AsyncDisposable {
  readonly #input: PlanNode;
  readonly #stage: CacheStage;

  /** Not called by programs: use `frame.cache`. */
  constructor(input: PlanNode, stage: CacheStage) {
    super({ kind: "staged", name: "cache", inputs: [input], stage, fields: input.fields });
    this.#input = input;
    this.#stage = stage;
  }

  /** Removes the rows from disk. */
  async remove(): Promise<void> {
    await this.#stage.remove(this.#input);
  }

  /** Removes the rows from disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

/** A frame, whatever its columns are. */
export interface AnyFrame {
  /** The plan as data. */
  readonly plan: PlanNode;
  /** The columns with their types, in order. */
  readonly fields: readonly ColumnField[];
}

/** The plan of a frame that a verb is given. */
export function planOf(frame: unknown, verb: string): PlanNode {
  if (frame instanceof Frame) return frame.plan;
  throw new PawlError("data.argument", `${verb} needs a frame, not ${shown(frame)}.`);
}

function assertCallback(given: unknown, verb: string): void {
  if (isCallback(given)) return;
  throw new PawlError(
    "data.argument",
    `${verb} needs a function of the columns, such as (c) => …, not ${shown(given)}.`,
  );
}
