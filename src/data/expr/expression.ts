import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import {
  ColumnType,
  type FloatKind,
  isNumber,
  isTemporal,
  type Kind,
  type NumberKind,
  type TemporalKind,
  typeText,
} from "../schema/column-type.ts";
import {
  AGGREGATES,
  type AggregateDescription,
  type AggregateName,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
} from "./functions.ts";
import { literal, literalLike } from "./literal.ts";
import type { AggregateNode, CallOption, ExpressionNode, SortKey } from "./node.ts";

/** Whether an expression has a value for each row, or one for the rows of a group. */
export type Form = "row" | "group";

/** Any type of column. */
export type AnyType = ColumnType;

/** Whether a result may be null, by whether its arguments may. */
type Either<A extends boolean, B extends boolean> = A extends true ? true : B;

/** Whether an operand may be null: a literal may not. */
type NullOf<O> = O extends Expression<infer T, Form> ? T["isNullable"] : O extends null ? true : false;

/** The form of an expression made of others: of a group as soon as one of them is. */
type FormOf<F extends Form, O> =
  O extends Expression<AnyType, infer G> ? (G extends "group" ? "group" : F) : F;

/** True or false, and whether it may be null. */
export type Condition<N extends boolean = boolean, F extends Form = "row"> = BoolExpression<
  ColumnType<"bool", boolean, N>,
  F
>;

/** What can be compared with values of a type: an expression of the same family, or a literal. */
export type Operand<T extends AnyType> = T["kind"] extends NumberKind
  ? number | bigint | Expression<ColumnType<NumberKind>, Form>
  : T["kind"] extends TemporalKind
    ? string | Date | Expression<ColumnType<T["kind"]>, Form>
    : T["kind"] extends "text" | "uuid"
      ? string | Expression<ColumnType<"text" | "uuid">, Form>
      : T extends ColumnType<Kind, infer V>
        ? V | Expression<T, Form>
        : never;

type NumberOperand = number | bigint | Expression<ColumnType<NumberKind>, Form>;
type KindOfOperand<O> =
  O extends Expression<infer T, Form> ? T["kind"] : O extends bigint ? "int64" : "literal";

/** The type of a sum or product. */
export type Arithmetic<T extends AnyType, O> = ColumnTypeOf<
  WidenedKind<T["kind"], KindOfOperand<O>>,
  Either<T["isNullable"], NullOf<O>>
>;

/** A literal number is whole or not as its value is, which its type does not tell: it takes the kind of the column. */
type WidenedKind<A extends Kind, B> = A extends FloatKind
  ? "float64"
  : B extends FloatKind
    ? "float64"
    : A extends "decimal"
      ? "decimal"
      : B extends "decimal"
        ? "decimal"
        : "int64";

interface ValueOfKind {
  readonly int64: bigint;
  readonly float64: number;
  readonly decimal: string;
}

type ColumnTypeOf<K extends keyof ValueOfKind, N extends boolean> = ColumnType<K, ValueOfKind[K], N>;

/** The same type with other nulls. */
export type WithNull<T extends AnyType, N extends boolean> =
  T extends ColumnType<infer K, infer V> ? ColumnType<K, V, N> : never;

type Int64<N extends boolean> = ColumnType<"int64", bigint, N>;
type Float64<N extends boolean> = ColumnType<"float64", number, N>;
type Text<N extends boolean> = ColumnType<"text", string, N>;
type Bool<N extends boolean> = ColumnType<"bool", boolean, N>;

/** Which rows around the current one a window takes, and in which order. */
export interface WindowOptions {
  /** Expressions whose equal values make a partition, such as `c.user`. @default all rows are one */
  readonly by?: Expression | readonly Expression[];
  /** The order in the partition, such as `c.time` or `[c.amount.desc(), c.id]`. @default none */
  readonly order?: OrderLike | readonly OrderLike[];
  /**
   * From how many rows before (negative) to how many after; null is without an end.
   * @default all of the partition; where there is an order, all up to this row
   */
  readonly rows?: readonly [from: number | null, to: number | null];
}

/** One key of an order: made by `asc()` and `desc()`. */
export class Order {
  /** The key as data. */
  readonly key: SortKey;

  /** Not called by programs: use `asc()` and `desc()`. */
  constructor(key: SortKey) {
    this.key = key;
  }
}

/** A key of an order: an expression is in ascending order. */
export type OrderLike = Expression | Order;

/** One or several keys of an order. Throws PawlError("data.argument") for what is none. */
export function sortKeys(order: OrderLike | readonly OrderLike[], what: string): readonly SortKey[] {
  return (Array.isArray(order) ? order : [order]).map((key: unknown) => {
    if (key instanceof Order) return key.key;
    if (key instanceof BuiltExpression) return { by: key.node, descending: false };
    throw new PawlError("data.argument", `${what} needs columns such as c.amount.desc(), not ${shown(key)}.`);
  });
}

/** What every expression can do. */
export interface Expression<T extends AnyType = AnyType, F extends Form = Form> {
  /** The expression as data. */
  readonly node: ExpressionNode;
  /** Only for the compiler: the type of its value. */
  readonly " type"?: T;
  /** Only for the compiler: its form. */
  readonly " form"?: F;
}

/** What an expression of any type can do besides. */
export interface BaseExpression<T extends AnyType, F extends Form> extends Expression<T, F> {
  /** Whether both are equal; null where one of them is. */
  eq<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether both differ; null where one of them is. */
  ne<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is one of some values. */
  in(values: readonly Operand<T>[]): BoolExpression<Bool<T["isNullable"]>, F>;
  /** Whether it is null. */
  isNull(): BoolExpression<Bool<false>, F>;
  /** Whether it is not null. */
  isNotNull(): BoolExpression<Bool<false>, F>;
  /** It, or where it is null another value. */
  fillNull<const O extends Operand<T>>(
    other: O,
  ): ExpressionOf<WithNull<T, T["isNullable"] extends true ? NullOf<O> : false>, FormOf<F, O>>;
  /** In ascending order, for `sort` and `over`. Nulls come last. */
  asc(): Order;
  /** In descending order, for `sort` and `over`. Nulls come last. */
  desc(): Order;
  /** The same value as another type; a value that does not fit fails the query and is named. */
  cast<U extends AnyType>(to: U): ExpressionOf<WithNull<U, T["isNullable"]>, F>;
  /** The same value as another type; a value that does not fit becomes null. */
  tryCast<U extends AnyType>(to: U): ExpressionOf<WithNull<U, true>, F>;
  /** How many values that are not null. */
  count(): NumberExpression<Int64<false>, "group">;
  /** The smallest value. */
  min(): AggregateOf<T>;
  /** The largest value. */
  max(): AggregateOf<T>;
}

/** An expression whose values have an order. */
export interface OrderedExpression<T extends AnyType, F extends Form> extends BaseExpression<T, F> {
  /** Whether it is smaller than the other. */
  lt<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is smaller than the other, or equal. */
  le<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is larger than the other. */
  gt<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is larger than the other, or equal. */
  ge<const O extends Operand<T>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it lies between two values, both included. */
  between(low: Operand<T>, high: Operand<T>): BoolExpression<Bool<T["isNullable"]>, F>;
}

/** Numbers. */
export interface NumberExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** The sum. Whole numbers become int64, and a sum that does not fit is an error. */
  add<const O extends NumberOperand>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The difference. */
  sub<const O extends NumberOperand>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The product. */
  mul<const O extends NumberOperand>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The quotient as a floating-point number; null where the divisor is zero. */
  div<const O extends NumberOperand>(
    other: O,
  ): NumberExpression<Float64<O extends number | bigint ? T["isNullable"] : true>, FormOf<F, O>>;
  /** What division leaves, with the sign of the dividend; null where the divisor is zero. */
  mod<const O extends NumberOperand>(
    other: O,
  ): NumberExpression<
    WithNull<Arithmetic<T, O>, O extends number | bigint ? T["isNullable"] : true>,
    FormOf<F, O>
  >;
  /** The negative. */
  neg(): NumberExpression<Arithmetic<T, T["kind"]>, F>;
  /** The sum. Of whole numbers it is an int64, and one that does not fit is an error. */
  sum(): WindowedNumber<ColumnTypeOf<WidenedKind<T["kind"], T["kind"]>, T["isNullable"]>>;
  /** The arithmetic mean. */
  mean(): WindowedNumber<Float64<T["isNullable"]>>;
  /** The standard deviation of the sample; null for fewer than two values. */
  std(): WindowedNumber<Float64<true>>;
}

/** True or false. */
export interface BoolExpression<T extends AnyType, F extends Form> extends BaseExpression<T, F> {
  /** Whether both are true. */
  and<N extends boolean, G extends Form>(
    other: Condition<N, G>,
  ): BoolExpression<Bool<Either<T["isNullable"], N>>, G extends "group" ? "group" : F>;
  /** Whether one of them is true. */
  or<N extends boolean, G extends Form>(
    other: Condition<N, G>,
  ): BoolExpression<Bool<Either<T["isNullable"], N>>, G extends "group" ? "group" : F>;
  /** Whether it is false. */
  not(): BoolExpression<Bool<T["isNullable"]>, F>;
}

/** Texts. */
export interface TextExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** In lower case. */
  lower(): TextExpression<Text<T["isNullable"]>, F>;
  /** The number of code points. */
  length(): NumberExpression<Int64<T["isNullable"]>, F>;
}

/** Days and moments. */
export interface TemporalExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {}

/** An aggregate, which `over` turns into a value for each row. */
export interface Windowed<T extends AnyType> {
  /** The aggregate of the rows around each row. */
  over(window: WindowOptions): ExpressionOf<T, "row">;
}

/** An aggregate that is a number. */
export type WindowedNumber<T extends AnyType> = NumberExpression<T, "group"> & Windowed<T>;

/** An aggregate of a type. */
export type AggregateOf<T extends AnyType> = ExpressionOf<T, "group"> & Windowed<T>;

/** An expression with the methods of its type. */
export type ExpressionOf<T extends AnyType, F extends Form = "row"> = [T["kind"]] extends [NumberKind]
  ? NumberExpression<T, F>
  : [T["kind"]] extends ["bool"]
    ? BoolExpression<T, F>
    : [T["kind"]] extends ["text"]
      ? TextExpression<T, F>
      : [T["kind"]] extends [TemporalKind]
        ? TemporalExpression<T, F>
        : OrderedExpression<T, F>;

/** The type of an expression's value, or of a literal in its place. */
export type TypeOf<E> =
  E extends Expression<infer T, Form>
    ? T
    : E extends string
      ? Text<false>
      : E extends bigint
        ? Int64<false>
        : E extends number
          ? Float64<false>
          : E extends boolean
            ? Bool<false>
            : never;

/** What may stand where an expression is wanted: an expression, or a literal. */
export type ExpressionLike = Expression | string | number | bigint | boolean;

/**
 * The one class behind all expressions: the interfaces above show of it what fits the type, and it checks again at run time, for
 * programs in JavaScript.
 */
export class BuiltExpression implements Expression {
  readonly node: ExpressionNode;

  constructor(node: ExpressionNode) {
    this.node = node;
  }

  eq(other: unknown): BuiltExpression {
    return this.#compare("eq", other);
  }
  ne(other: unknown): BuiltExpression {
    return this.#compare("ne", other);
  }
  lt(other: unknown): BuiltExpression {
    return this.#compare("lt", other);
  }
  le(other: unknown): BuiltExpression {
    return this.#compare("le", other);
  }
  gt(other: unknown): BuiltExpression {
    return this.#compare("gt", other);
  }
  ge(other: unknown): BuiltExpression {
    return this.#compare("ge", other);
  }
  between(low: unknown, high: unknown): BuiltExpression {
    return this.ge(low).and(this.le(high));
  }
  in(values: readonly unknown[]): BuiltExpression {
    if (!Array.isArray(values))
      throw new PawlError("data.argument", `in() needs an array of values, not ${shown(values)}.`);
    return call("in", [this.node, ...values.map((value) => this.#like(value, "in"))]);
  }
  isNull(): BuiltExpression {
    return call("isNull", [this.node]);
  }
  isNotNull(): BuiltExpression {
    return this.isNull().not();
  }
  and(other: unknown): BuiltExpression {
    return call("and", [boolNode(this.node, "and"), boolNode(nodeOf(other), "and")]);
  }
  or(other: unknown): BuiltExpression {
    return call("or", [boolNode(this.node, "or"), boolNode(nodeOf(other), "or")]);
  }
  fillNull(other: unknown): BuiltExpression {
    return call("coalesce", [this.node, this.#like(other, "fillNull")]);
  }
  asc(): Order {
    return new Order({ by: this.node, descending: false });
  }
  desc(): Order {
    return new Order({ by: this.node, descending: true });
  }
  not(): BuiltExpression {
    return call("not", [boolNode(this.node, "not")]);
  }
  cast(to: ColumnType): BuiltExpression {
    return cast(this.node, to, true);
  }
  tryCast(to: ColumnType): BuiltExpression {
    return cast(this.node, to, false);
  }
  add(other: unknown): BuiltExpression {
    return this.#arithmetic("add", other);
  }
  sub(other: unknown): BuiltExpression {
    return this.#arithmetic("subtract", other);
  }
  mul(other: unknown): BuiltExpression {
    return this.#arithmetic("multiply", other);
  }
  div(other: unknown): BuiltExpression {
    return this.#arithmetic("divide", other);
  }
  mod(other: unknown): BuiltExpression {
    return this.#arithmetic("remainder", other);
  }
  neg(): BuiltExpression {
    return call("negate", [numberNode(this.node, "neg")]);
  }
  lower(): BuiltExpression {
    return call("lower", [textNode(this.node, "lower")]);
  }
  length(): BuiltExpression {
    return call("length", [textNode(this.node, "length")]);
  }
  count(): BuiltExpression {
    return aggregate("count", [this.node]);
  }
  sum(): BuiltExpression {
    return aggregate("sum", [numberNode(this.node, "sum")]);
  }
  mean(): BuiltExpression {
    return aggregate("mean", [numberNode(this.node, "mean")]);
  }
  std(): BuiltExpression {
    return aggregate("std", [numberNode(this.node, "std")]);
  }
  min(): BuiltExpression {
    return aggregate("min", [this.node]);
  }
  max(): BuiltExpression {
    return aggregate("max", [this.node]);
  }

  #compare(name: FunctionName, other: unknown): BuiltExpression {
    return call(name, [this.node, this.#like(other, name)]);
  }

  #arithmetic(name: FunctionName, other: unknown): BuiltExpression {
    const right = nodeOf(other);
    const divides = name === "divide" || name === "remainder";
    const built = call(name, [numberNode(this.node, name), numberNode(right, name)]);
    // A literal other than zero never divides by zero, so that it makes nothing null.
    return divides && right.kind === "literal" && Number(right.value) !== 0
      ? retyped(built, this.node.type.isNullable)
      : built;
  }

  #like(other: unknown, name: string): ExpressionNode {
    return other instanceof BuiltExpression
      ? comparable(this.node, other.node, name)
      : literalLike(other, this.node.type, name);
  }
}

function retyped({ node }: BuiltExpression, isNullable: boolean): BuiltExpression {
  const type = isNullable ? node.type.nullable() : node.type.notNull();
  return new BuiltExpression({ ...node, type } as ExpressionNode);
}

/** A call of a function of one row's values. */
export function call(
  name: FunctionName,
  nodes: readonly ExpressionNode[],
  options?: Readonly<Record<string, CallOption>>,
): BuiltExpression {
  const { result, nullability = "any" }: FunctionDescription = FUNCTIONS[name];
  const argumentTypes = nodes.map((node) => node.type);
  const type = result(argumentTypes).notNull();
  const isNullable =
    nullability === "always" ||
    (nullability === "any" && argumentTypes.some((each) => each.isNullable)) ||
    (nullability === "all" && argumentTypes.every((each) => each.isNullable));
  return new BuiltExpression({
    kind: "call",
    function: name,
    arguments: nodes,
    ...(options === undefined ? {} : { options }),
    type: isNullable ? type.nullable() : type,
  });
}

/** An aggregate of expressions. */
export function aggregate(
  name: AggregateName,
  nodes: readonly ExpressionNode[],
  settings: {
    readonly orderBy?: readonly SortKey[];
    readonly options?: Readonly<Record<string, CallOption>>;
  } = {},
): BuiltAggregate {
  const { result, nullability = "empty" }: AggregateDescription = AGGREGATES[name];
  const argumentTypes = nodes.map((node) => node.type);
  const type = result(argumentTypes).notNull();
  const isNullable =
    nullability === "always" || (nullability === "empty" && argumentTypes.some((each) => each.isNullable));
  return new BuiltAggregate({
    kind: "aggregate",
    function: name,
    arguments: nodes,
    orderBy: settings.orderBy ?? [],
    where: null,
    ...(settings.options === undefined ? {} : { options: settings.options }),
    type: isNullable ? type.nullable() : type,
  });
}

/** An aggregate, which may be asked for over a window. */
export class BuiltAggregate extends BuiltExpression {
  override readonly node: AggregateNode;

  constructor(node: AggregateNode) {
    super(node);
    this.node = node;
  }

  over({ by = [], order = [], rows }: WindowOptions): BuiltExpression {
    const partitionBy = (Array.isArray(by) ? by : [by]).map(nodeOf);
    return new BuiltExpression({
      kind: "window",
      of: this.node,
      partitionBy,
      orderBy: sortKeys(order, "The order of a window"),
      ...(rows === undefined ? {} : { rows }),
      type: this.node.type,
    });
  }
}

function cast(of: ExpressionNode, to: ColumnType, checked: boolean): BuiltExpression {
  if (!(to instanceof ColumnType))
    throw new PawlError("data.argument", `cast needs a type such as int32(), not ${shown(to)}.`);
  const isNullable = !checked || of.type.isNullable;
  return new BuiltExpression({ kind: "cast", of, checked, type: isNullable ? to.nullable() : to.notNull() });
}

/** The node of an expression, or of a literal in its place. */
export function nodeOf(value: unknown): ExpressionNode {
  return value instanceof BuiltExpression ? value.node : literal(value);
}

/** The second of two nodes that are compared. Throws PawlError("data.types") where their types have no common order. */
function comparable(left: ExpressionNode, right: ExpressionNode, name: string): ExpressionNode {
  if (family(left.type.kind) === family(right.type.kind)) return right;
  throw new PawlError(
    "data.types",
    `${name}() compares ${nameOf(left)}, which is ${typeText(left.type)}, with ${nameOf(right)}, which is ${typeText(right.type)}: cast one of them.`,
  );
}

function family(kind: Kind): string {
  if (isNumber(kind)) return "number";
  if (kind === "uuid") return "text";
  return isTemporal(kind) && kind !== "time" && kind !== "date" ? "moment" : kind;
}

function numberNode(node: ExpressionNode, name: string): ExpressionNode {
  return isNumber(node.type.kind) ? node : refuse(node, name, "a number");
}

function textNode(node: ExpressionNode, name: string): ExpressionNode {
  return node.type.kind === "text" ? node : refuse(node, name, "a text");
}

function boolNode(node: ExpressionNode, name: string): ExpressionNode {
  return node.type.kind === "bool" ? node : refuse(node, name, "a condition");
}

function refuse(node: ExpressionNode, name: string, wanted: string): never {
  throw new PawlError(
    "data.types",
    `${name} needs ${wanted}, and ${nameOf(node)} is ${typeText(node.type)}.`,
  );
}

/** What a sentence calls an expression. */
export function nameOf(node: ExpressionNode): string {
  if (node.kind === "column") return `the column ${quoted(node.name)}`;
  if (node.kind === "literal") return quoted(node.value);
  return `the result of ${node.kind === "call" || node.kind === "aggregate" ? node.function : node.kind}`;
}

/**
 * The number of rows of a group.
 *
 * @example
 * ```ts
 * const perUser = frame.groupBy("user").agg(() => ({ transactions: count() }));
 * ```
 */
export function count(): NumberExpression<Int64<false>, "group"> {
  return aggregate("count", []) as unknown as NumberExpression<Int64<false>, "group">;
}
