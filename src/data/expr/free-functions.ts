/** Functions that are not methods of an expression. */
import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { ColumnType, int64, typeText } from "../schema/column-type.ts";
import { assertArgument, nameOf } from "./arguments.ts";
import { BuiltExpression, BuiltRanking, call, nodeOf } from "./expression.ts";
import { countType, RANKINGS } from "./functions.ts";
import { literalOf } from "./literal.ts";
import type { CaseNode, ExpressionNode } from "./node.ts";
import type {
  AllNull,
  AnyType,
  Count,
  Expression,
  ExpressionLike,
  ExpressionOf,
  Float64,
  Form,
  FormOf,
  Int64,
  NumberExpression,
  Same,
  TypeOf,
  When,
  Windowed,
  WithNull,
} from "./typed.ts";

/**
 * The value of the first condition that is true; `otherwise` ends it. All values are of the kind of the first one: a number on its own is a float64.
 *
 * @example
 * ```ts
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
 * const sized = sales.with((c) => ({ size: when(c.amount.gt(1000), "large").when(c.amount.gt(100), "medium").otherwise("small") }));
 * ```
 */
export function when<const C extends Expression<ColumnType<"bool">, Form>, const V extends ExpressionLike>(
  condition: C,
  value: V,
): When<TypeOf<V>, FormOf<FormOf<"row", C>, V>> {
  return new BuiltChoice([], nodeOf(value)).when(condition, value) as unknown as When<
    TypeOf<V>,
    FormOf<FormOf<"row", C>, V>
  >;
}

class BuiltChoice {
  readonly #branches: CaseNode["branches"];
  readonly #first: ExpressionNode;

  constructor(branches: CaseNode["branches"], first: ExpressionNode) {
    this.#branches = branches;
    this.#first = first;
  }

  when(condition: unknown, value: unknown): BuiltChoice {
    const test = assertArgument(nodeOf(condition), "bool", "when()");
    // biome-ignore lint/suspicious/noThenProperty: a branch is data and never awaited
    return new BuiltChoice([...this.#branches, { when: test, then: this.#like(value, "when") }], this.#first);
  }

  otherwise(value: unknown): BuiltExpression {
    const otherwise = this.#like(value, "otherwise");
    const values = [...this.#branches.map(({ then }) => then), otherwise];
    const type = call(
      "coalesce",
      values.map((node) => new BuiltExpression(node)),
    ).node.type;
    return new BuiltExpression({
      kind: "case",
      branches: this.#branches,
      otherwise,
      type: values.some((node) => node.type.isNullable) ? type.nullable() : type.notNull(),
    });
  }

  #like(value: unknown, name: string): ExpressionNode {
    if (value === null) return literalOf(null, this.#first.type.nullable(), `${name}()`);
    if (!(value instanceof BuiltExpression)) return literalOf(value, this.#first.type.notNull(), `${name}()`);
    if (value.node.type.kind === this.#first.type.kind) return value.node;
    throw new PawlError(
      "data.types",
      `${name}() needs values of one type, and ${nameOf(this.#first)} is ${typeText(this.#first.type)}, ${nameOf(value.node)} ${typeText(value.node.type)}: cast one of them.`,
    );
  }
}

/** The first of some values of one kind that is not null. */
export function coalesce<T extends AnyType, F extends Form, const L extends readonly Same<T>[]>(
  first: Expression<T, F>,
  ...others: L
): ExpressionOf<WithNull<T, T["isNullable"] extends false ? false : AllNull<L>>, FormOf<F, L[number]>> {
  return call("coalesce", [first, ...others]) as never;
}

/** The largest of some values of one kind; nulls are left out. */
export function greatest<T extends AnyType, F extends Form, const L extends readonly Same<T>[]>(
  first: Expression<T, F>,
  ...others: L
): ExpressionOf<WithNull<T, T["isNullable"] extends false ? false : AllNull<L>>, FormOf<F, L[number]>> {
  return call("greatest", [first, ...others]) as never;
}

/** The smallest of some values of one kind; nulls are left out. */
export function least<T extends AnyType, F extends Form, const L extends readonly Same<T>[]>(
  first: Expression<T, F>,
  ...others: L
): ExpressionOf<WithNull<T, T["isNullable"] extends false ? false : AllNull<L>>, FormOf<F, L[number]>> {
  return call("least", [first, ...others]) as never;
}

/** A whole number from 0 to 2⁶⁰ − 1 that is the same for equal values on every engine and in every release. */
export function hash<const L extends readonly [Expression, ...ExpressionLike[]]>(
  ...values: L
): NumberExpression<Int64<false>, FormOf<"row", L[number]>> {
  const [first, ...others] = values;
  return new BuiltExpression(nodeOf(first)).hash(...others) as never;
}

/** The number of the row in its partition, from 1: `rowNumber().over({ by: c.user, order: c.time })`. */
export function rowNumber(): Windowed<Count> {
  return ranking("rowNumber");
}

/** The rank of the row in the order, from 1, with gaps after rows that are equal. */
export function rank(): Windowed<Count> {
  return ranking("rank");
}

/** The rank of the row in the order, from 1, without gaps. */
export function denseRank(): Windowed<Count> {
  return ranking("denseRank");
}

/** (rank − 1) / (rows − 1), from 0 to 1. */
export function percentRank(): Windowed<Float64<false>> {
  return new BuiltRanking({
    kind: "ranking",
    function: "percentRank",
    arguments: [],
    type: RANKINGS.percentRank.result(),
  }) as unknown as Windowed<Float64<false>>;
}

/**
 * In which of so many parts of nearly equal size the row is, from 1.
 *
 * @throws PawlError `data.argument` where the number of parts is not whole or less than one.
 */
export function ntile(parts: number): Windowed<Count> {
  if (!Number.isSafeInteger(parts) || parts < 1)
    throw new PawlError(
      "data.argument",
      `ntile() needs a whole number of parts from 1, not ${shown(parts)}.`,
    );
  return ranking("ntile", [literalOf(parts, int64(), "ntile()")]);
}

function ranking(
  name: "rowNumber" | "rank" | "denseRank" | "ntile",
  nodes: readonly ExpressionNode[] = [],
): Windowed<Count> {
  return new BuiltRanking({
    kind: "ranking",
    function: name,
    arguments: nodes,
    type: countType(),
  }) as unknown as Windowed<Count>;
}

/** The engine's own SQL, until `as` says which type its value has. */
export interface SqlText<F extends Form> {
  /** The expression, of a type that you declare: a value that does not fit fails the query. */
  as<T extends AnyType>(type: T): ExpressionOf<T, F>;
}

/** The engine's own SQL as an expression: a template whose values are put in quoted. */
export function sqlExpression(text: TemplateStringsArray, values: readonly unknown[]): SqlText<Form> {
  const nodes = values.map(nodeOf);
  return {
    as: (type: ColumnType) => {
      if (!(type instanceof ColumnType))
        throw new PawlError("data.argument", `as() needs a type such as int32(), not ${shown(type)}.`);
      return new BuiltExpression({ kind: "sql", parts: [...text.raw], arguments: nodes, type }) as never;
    },
  };
}
