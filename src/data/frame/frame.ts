import { assertObject, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { setOwn } from "../../own.ts";
import { type Columns, columnsProxy, fieldNamed } from "../expr/columns.ts";
import {
  type Condition,
  type Expression,
  type ExpressionLike,
  nodeOf,
  type TypeOf,
} from "../expr/expression.ts";
import { isAggregate, type NamedExpression } from "../expr/node.ts";
import { type PartitionFunction, type PartitionOptions, partitionPlan } from "../parts/map-partitions.ts";
import type { PlanNode } from "../plan/node.ts";
import type { ColumnField, ColumnType, FrameSchema, Row } from "../schema/column-type.ts";
import { rowsOf } from "./rows.ts";
import { type FrameRunOptions, withSession } from "./run.ts";

/** Flattens a type for the reader of an error. */
type Flat<T> = { [K in keyof T]: T[K] };

/** The schema of named expressions. */
export type SchemaOf<R extends Readonly<Record<string, ExpressionLike>>> = {
  readonly [C in keyof R]: TypeOf<R[C]>;
};

/** A schema with columns added or replaced. */
export type Over<S extends FrameSchema, R> = Flat<Omit<S, keyof R> & R>;

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
    const where = nodeOf(condition(this.#columns()));
    if (where.type.kind !== "bool")
      throw new PawlError("data.types", `filter() needs a condition, not a value of ${where.type.kind}.`);
    refuseAggregate(where, "filter()");
    return new Frame({ kind: "filter", input: this.#plan, where, fields: this.fields });
  }

  /** All columns, and new ones, or new values for those that are there. */
  with<const R extends Readonly<Record<string, ExpressionLike>>>(
    make: (columns: Columns<S>) => R,
  ): Frame<Over<S, SchemaOf<R>>> {
    const made = named(make(this.#columns()), "with()");
    const byName = new Map(made.map((column) => [column.name, column]));
    const kept = this.fields.map(
      ({ name, type }): NamedExpression =>
        byName.get(name) ?? { name, expression: { kind: "column", name, type } },
    );
    const added = made.filter(({ name }) => !this.fields.some((field) => field.name === name));
    return this.#project([...kept, ...added]);
  }

  /** Only these columns, in this order. */
  select<const C extends keyof S & string>(...names: readonly C[]): Frame<Pick<S, C>> {
    return this.#project(
      names.map((name) => ({
        name,
        expression: { kind: "column", name, type: fieldNamed(name, this.fields).type },
      })),
    );
  }

  /** Groups of rows whose columns are equal; nulls are equal to each other. */
  groupBy<const C extends keyof S & string>(...names: readonly C[]): Group<S, Pick<S, C>> {
    return new Group(
      this.#plan,
      names.map((name) => ({
        name,
        expression: { kind: "column", name, type: fieldNamed(name, this.fields).type },
      })),
    );
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

  /** All rows in memory. */
  async collect(options: FrameRunOptions = {}): Promise<Row<S>[]> {
    return await withSession(options, async (session) => {
      const rows: Row<S>[] = [];
      for await (const batch of session.batches(this.#plan))
        for (const row of rowsOf(batch, this.fields)) rows.push(row as Row<S>);
      return rows;
    });
  }

  #columns(): Columns<S> {
    return columnsProxy<S>(this.fields);
  }

  #project<T extends FrameSchema>(columns: readonly NamedExpression[]): Frame<T> {
    return new Frame({
      kind: "project",
      input: this.#plan,
      columns,
      fields: columns.map(({ name, expression }) => ({ name, type: expression.type })),
    });
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

  /** A row for each group: the keys, and these aggregates. */
  agg<const R extends Readonly<Record<string, Expression<ColumnType, "group">>>>(
    make: (columns: Columns<S>) => R,
  ): Frame<Over<K, SchemaOf<R>>> {
    const aggregates = named(make(columnsProxy<S>(this.#input.fields)), "agg()");
    for (const { name, expression } of aggregates)
      if (!isAggregate(expression))
        throw new PawlError(
          "data.aggregate",
          `agg() needs one value for each group, and ${JSON.stringify(name)} has one for each row: use sum(), max() or another aggregate.`,
        );
    const columns = [...this.#keys, ...aggregates];
    return new Frame({
      kind: "group",
      input: this.#input,
      keys: this.#keys,
      aggregates,
      fields: columns.map(({ name, expression }) => ({ name, type: expression.type })),
    });
  }
}

function named(made: unknown, verb: string): readonly NamedExpression[] {
  assertObject(made, `What ${verb} is given`);
  return Object.entries(made).map(([name, value]) => {
    const expression = nodeOf(value);
    if (verb === "with()") refuseAggregate(expression, verb);
    return { name, expression };
  });
}

function refuseAggregate(node: NamedExpression["expression"], verb: string): void {
  if (isAggregate(node))
    throw new PawlError(
      "data.aggregate",
      `${verb} works row by row, and an aggregate has one value for many rows: give it a window with over(), or use groupBy().agg().`,
    );
}

/** A frame of rows of the program. */
export function fromRows<const S extends FrameSchema>(schema: S, rows: readonly Row<S>[]): Frame<S> {
  void schema;
  void rows;
  void setOwn;
  throw new Error(`not yet ${shown(rows)}`);
}
