/**
 * What programs see of expressions: an interface for each family of types, so that what does not fit does not compile. All are views of the
 * one class `BuiltExpression`, which checks again at run time.
 */
import type { Duration } from "../../durations.ts";
import type {
  ColumnType,
  FloatKind,
  FrameSchema,
  IntKind,
  Kind,
  ListOf,
  NumberKind,
  TemporalKind,
} from "../schema/column-type.ts";
import type { ExpressionNode, SortKey } from "./node.ts";

/** Whether an expression has a value for each row, or one for the rows of a group. */
export type Form = "row" | "group";

/** Steps of a calendar that are no duration. */
export type StepUnit = "month" | "quarter" | "year";

/** Any type of column. */
export type AnyType = ColumnType;

/** Whether a result may be null, by whether its arguments may. */
export type Either<A extends boolean, B extends boolean> = A extends true ? true : B;

/** Whether an operand may be null: a literal may not. */
export type NullOf<O> = O extends Expression<infer T, Form> ? T["isNullable"] : O extends null ? true : false;

/** Whether all of a list of operands may be null. */
export type AllNull<L extends readonly unknown[]> = [
  { [I in keyof L]: NullOf<L[I]> extends false ? true : never }[number],
] extends [never]
  ? true
  : false;

/** The form of an expression made of others: of a group as soon as one of them is. */
export type FormOf<F extends Form, O> = [Extract<O, Expression>] extends [never]
  ? F
  : Extract<O, Expression> extends Expression<AnyType, "row">
    ? F
    : "group";

/** True or false, and whether it may be null. */
export type Condition<N extends boolean = boolean, F extends Form = "row"> = BoolExpression<
  ColumnType<"bool", boolean, N>,
  F
>;

/** A literal of a type: how programs write its values. */
export type Literal<T extends AnyType> = T["kind"] extends IntKind | FloatKind
  ? number | bigint
  : T["kind"] extends "decimal"
    ? number | bigint | string
    : T["kind"] extends TemporalKind
      ? string | Date
      : T["kind"] extends "text" | "uuid"
        ? string
        : T extends ColumnType<Kind, infer V>
          ? V
          : never;

/** What can be compared with values of a type: an expression of the same family, or a literal. */
export type Operand<T extends AnyType> =
  | Literal<T>
  | (T["kind"] extends NumberKind
      ? Expression<ColumnType<NumberKind>, Form>
      : T["kind"] extends "text" | "uuid"
        ? Expression<ColumnType<"text" | "uuid">, Form>
        : Expression<ColumnType<T["kind"]>, Form>);

/** A value in place of one of a type: an expression of the same kind, or a literal. */
export type Same<T extends AnyType> = Literal<T> | Expression<ColumnType<T["kind"]>, Form>;

type NumberOperand<T extends AnyType> =
  | number
  | bigint
  | (T["kind"] extends "decimal" ? string : never)
  | Expression<ColumnType<NumberKind>, Form>;

type WholeOperand = number | bigint | Expression<ColumnType<IntKind>, Form>;
type TextOperand = string | Expression<ColumnType<"text">, Form>;

/** The kind of an operand of arithmetic: a literal number is whole or not as it is written, and of a number that is not written out neither is known. */
type KindOfOperand<O> =
  O extends Expression<infer T, Form>
    ? T["kind"]
    : O extends number
      ? number extends O
        ? "whole or not"
        : `${O}` extends `${bigint}`
          ? "int64"
          : "fraction"
      : "int64";

/** The kind of a sum or product. */
type WidenedKind<A extends Kind, B> = A extends FloatKind
  ? "float64"
  : B extends FloatKind
    ? "float64"
    : A extends "decimal"
      ? "decimal"
      : B extends "decimal"
        ? "decimal"
        : B extends "fraction"
          ? "float64"
          : B extends "whole or not"
            ? "int64" | "float64"
            : "int64";

/** The type of a sum or product. */
export type Arithmetic<T extends AnyType, O> = ColumnTypeOf<
  WidenedKind<T["kind"], KindOfOperand<O>>,
  Either<T["isNullable"], NullOf<O>>
>;

/** The type of a number after an operation on it alone. */
type Widened<T extends AnyType, N extends boolean = T["isNullable"]> = ColumnTypeOf<
  WidenedKind<T["kind"], T["kind"]>,
  N
>;

interface ValueOfKind {
  readonly int64: bigint;
  readonly float64: number;
  readonly decimal: string;
}

type ColumnTypeOf<K extends keyof ValueOfKind, N extends boolean> = ColumnType<K, ValueOfKind[K], N>;

/** Whether a division gives null: not by a literal, unless it is zero. */
type Divided<T extends AnyType, O> = O extends 0 | 0n
  ? true
  : number extends O
    ? true
    : bigint extends O
      ? true
      : string extends O
        ? true
        : O extends number | bigint
          ? T["isNullable"]
          : true;

/** The same type with other nulls. */
export type WithNull<T extends AnyType, N extends boolean> =
  T extends ColumnType<infer K, infer V, boolean, infer D> ? ColumnType<K, V, N, D> : never;

type Int32<N extends boolean> = ColumnType<"int32", number, N>;
export type Int64<N extends boolean> = ColumnType<"int64", bigint, N>;
export type Float64<N extends boolean> = ColumnType<"float64", number, N>;
type Text<N extends boolean> = ColumnType<"text", string, N>;
type Bool<N extends boolean> = ColumnType<"bool", boolean, N>;
type Day<N extends boolean> = ColumnType<"date", string, N>;
type Time<N extends boolean> = ColumnType<"time", string, N>;
type Timestamp<N extends boolean> = ColumnType<"timestamp", string, N>;
type Moment<N extends boolean> = ColumnType<"timestamptz", string, N>;
type Json<N extends boolean> = ColumnType<"json", unknown, N>;
type TextList<N extends boolean> = ColumnType<"list", ListOf<Text<false>>, N, Text<false>>;

/** A count: an int64 that is a number in JavaScript. */
export type Count<N extends boolean = false> = ColumnType<"int64", number, N>;

/** A value of a map. */
export type MapValue = string | number | bigint | boolean;

/** The type of a map's values. */
type MapType<V extends MapValue, N extends boolean> = [V] extends [string]
  ? Text<N>
  : [V] extends [number]
    ? Float64<N>
    : [V] extends [bigint]
      ? Int64<N>
      : [V] extends [boolean]
        ? Bool<N>
        : never;

/** Keys and values: an object, or a Map where keys are not texts. */
export type MapOf<K, V> = Readonly<Record<string, V>> | ReadonlyMap<K, V>;

/** A span of time. Days are 24 hours. */
export interface TimeSpan {
  readonly years?: number;
  readonly months?: number;
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
  readonly microseconds?: number;
}

/** Units that a moment is cut to. */
export type TimeUnit =
  | "year"
  | "quarter"
  | "month"
  | "week"
  | "day"
  | "hour"
  | "minute"
  | "second"
  | "millisecond";

/** Units of whole numbers of time since 1970. */
export type EpochUnit = "second" | "millisecond" | "microsecond";

/** How a number is written. */
export interface NumberFormat {
  /** Digits after the point, from 0 to 20. */
  readonly digits: number;
  /** Whether commas stand between groups of three digits. @default false */
  readonly thousands?: boolean;
}

/** One end of a range around a row's value: null is without an end, a number for orders by numbers, a span of time for orders by time. */
export type RangeEnd = number | TimeSpan | null;

/** Which rows around the current one a window takes, and in which order. */
export interface WindowOptions {
  /** Expressions whose equal values make a partition, such as `c.user`. @default all rows are one */
  readonly by?: Expression | readonly Expression[];
  /** The order in the partition, such as `c.time` or `[c.amount.desc(), c.id]`. @default none */
  readonly order?: OrderLike | readonly OrderLike[];
  /**
   * From how many rows before (negative) to how many after; null is without an end.
   * @default all of the partition; where there is an order, all up to this row and those that are equal to it in the order
   */
  readonly rows?: readonly [from: number | null, to: number | null];
  /** From how far before (negative) to how far after the value of the one key of the order: `[{ days: -7 }, 0]`. */
  readonly range?: readonly [from: RangeEnd, to: RangeEnd];
}

type EndsBefore<E> = E extends null | 0
  ? true
  : E extends number
    ? `${E}` extends `-${string}`
      ? true
      : false
    : false;
type EndsAfter<E> = E extends null | 0
  ? true
  : E extends number
    ? number extends E
      ? false
      : `${E}` extends `-${string}`
        ? false
        : true
    : false;

/** Whether a window is never empty, because it holds the current row. */
type HoldsRow<W> = W extends { readonly rows: readonly [infer A, infer B] }
  ? EndsBefore<A> extends true
    ? EndsAfter<B>
    : false
  : W extends { readonly range: unknown }
    ? false
    : true;

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

/** In which order an aggregate sees its rows. */
export interface RowOrder {
  /** Such as `c.time` or `[c.amount.desc(), c.id]`. */
  readonly order: OrderLike | readonly OrderLike[];
}

/** What every expression can do. */
export interface Expression<out T extends AnyType = AnyType, out F extends Form = Form> {
  /** The expression as data. */
  readonly node: ExpressionNode;
  /** Only for the compiler: the type of its value. */
  readonly " type"?: T;
  /** Only for the compiler: its form. */
  readonly " form"?: F;
}

/** A value of each row, which an aggregate takes: not one of a group. */
type OfRows = Expression<AnyType, "row">;

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
  /** Whether both are equal, where nulls are equal to each other; never null. */
  eqNull<const O extends Operand<T>>(other: O): BoolExpression<Bool<false>, FormOf<F, O>>;
  /** Whether it is one of some values; of none it is false. */
  in<const O extends Operand<T>>(
    values: readonly O[],
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is none of some values. */
  notIn<const O extends Operand<T>>(
    values: readonly O[],
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is null. */
  isNull(): BoolExpression<Bool<false>, F>;
  /** Whether it is not null. */
  isNotNull(): BoolExpression<Bool<false>, F>;
  /** It, or where it is null another value of the same kind. */
  fillNull<const O extends Same<T>>(
    other: O,
  ): ExpressionOf<WithNull<T, T["isNullable"] extends false ? false : NullOf<O>>, FormOf<F, O>>;
  /** Null where it equals the value, otherwise itself. */
  nullIf<const O extends Same<T>>(value: O): ExpressionOf<WithNull<T, true>, FormOf<F, O>>;
  /** The value that stands beside it; null where none does. */
  map<V extends MapValue>(values: MapOf<Literal<T>, V>): ExpressionOf<MapType<V, true>, F>;
  /** The value that stands beside it; `otherwise` where none does, also for null. */
  map<V extends MapValue>(values: MapOf<Literal<T>, V>, otherwise: V): ExpressionOf<MapType<V, false>, F>;
  /** The value that stands beside it; itself where none does. */
  replaceValues(values: MapOf<Literal<T>, Literal<T>>): ExpressionOf<T, F>;
  /** A whole number from 0 to 2⁶⁰ − 1 that is the same for equal values on every engine and in every release. */
  hash(): NumberExpression<Int64<false>, F>;
  /** In ascending order, for `sort` and `over`. Nulls come last. */
  asc(): Order;
  /** In descending order, for `sort` and `over`. Nulls come last. */
  desc(): Order;
  /** The same value as another type; a value that does not fit fails the query and is named. */
  cast<U extends AnyType>(to: U): ExpressionOf<WithNull<U, CastNull<T>>, F>;
  /** The same value as another type; a value that does not fit becomes null. */
  tryCast<U extends AnyType>(to: U): ExpressionOf<WithNull<U, true>, F>;
  /** How many values that are not null, as a number. */
  count(this: OfRows): NeverNull<Count>;
  /** How many different values that are not null, as a number. */
  countDistinct(this: OfRows): NeverNull<Count>;
  /** How many different values, within a few per cent, in little memory. */
  approxCountDistinct(this: OfRows): NeverNull<Count>;
  /** Any value that is not null: for columns that are equal in all rows of a group. */
  any(this: OfRows): AggregateOf<T>;
  /** The value in the first row in an order, null or not. */
  first(this: OfRows, order: RowOrder): AggregateOf<T>;
  /** The value in the last row in an order, null or not. */
  last(this: OfRows, order: RowOrder): AggregateOf<T>;
  /** All values as a list, nulls included; in any order where none is given. */
  list(this: OfRows, order?: RowOrder): NeverNull<ColumnType<"list", ListOf<T>, false, T>>;
  /** The value some rows before in a window; null before the first. */
  lag(this: OfRows, rows?: number): Windowed<WithNull<T, true>>;
  /** The value some rows before in a window; `otherwise` before the first. */
  lag<const O extends Same<T>>(
    this: OfRows,
    rows: number,
    otherwise: O,
  ): Windowed<WithNull<T, Either<T["isNullable"], NullOf<O>>>>;
  /** The value some rows after in a window; null after the last. */
  lead(this: OfRows, rows?: number): Windowed<WithNull<T, true>>;
  /** The value some rows after in a window; `otherwise` after the last. */
  lead<const O extends Same<T>>(
    this: OfRows,
    rows: number,
    otherwise: O,
  ): Windowed<WithNull<T, Either<T["isNullable"], NullOf<O>>>>;
}

/** A JSON null becomes a null of any other type. */
type CastNull<T extends AnyType> = T["kind"] extends "json" ? true : T["isNullable"];

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
  between<const L extends Operand<T>, const H extends Operand<T>>(
    low: L,
    high: H,
  ): BoolExpression<Bool<Either<T["isNullable"], Either<NullOf<L>, NullOf<H>>>>, FormOf<FormOf<F, L>, H>>;
  /** The smallest value. */
  min(this: OfRows): AggregateOf<T>;
  /** The largest value. */
  max(this: OfRows): AggregateOf<T>;
  /** The value in the row where another is smallest; of several such rows, the smallest. */
  argMin(this: OfRows, of: OfRows): AggregateOf<WithNull<T, true>>;
  /** The value in the row where another is largest; of several such rows, the largest. */
  argMax(this: OfRows, of: OfRows): AggregateOf<WithNull<T, true>>;
  /** The most frequent value; of several, the smallest. */
  mode(this: OfRows): AggregateOf<T>;
}

/** Numbers. */
export interface NumberExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** The sum. Whole numbers become int64, and a sum that does not fit is an error. */
  add<const O extends NumberOperand<T>>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The difference. */
  sub<const O extends NumberOperand<T>>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The product. */
  mul<const O extends NumberOperand<T>>(other: O): NumberExpression<Arithmetic<T, O>, FormOf<F, O>>;
  /** The quotient as a floating-point number; null where the divisor is zero. */
  div<const O extends NumberOperand<T>>(other: O): NumberExpression<Float64<Divided<T, O>>, FormOf<F, O>>;
  /** What division leaves, with the sign of the dividend; null where the divisor is zero. */
  mod<const O extends NumberOperand<T>>(
    other: O,
  ): NumberExpression<WithNull<Arithmetic<T, O>, Divided<T, O>>, FormOf<F, O>>;
  /** The quotient of whole numbers without its fraction; null where the divisor is zero. */
  intDiv<const O extends WholeOperand>(
    this: Expression<ColumnType<IntKind>, Form>,
    other: O,
  ): NumberExpression<Int64<Divided<T, O>>, FormOf<F, O>>;
  /** The bits that both have. */
  bitAnd<const O extends WholeOperand>(
    this: Expression<ColumnType<IntKind>, Form>,
    other: O,
  ): NumberExpression<Int64<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The bits that one of them has. */
  bitOr<const O extends WholeOperand>(
    this: Expression<ColumnType<IntKind>, Form>,
    other: O,
  ): NumberExpression<Int64<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The bits that exactly one of them has. */
  bitXor<const O extends WholeOperand>(
    this: Expression<ColumnType<IntKind>, Form>,
    other: O,
  ): NumberExpression<Int64<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The negative. */
  neg(): NumberExpression<Widened<T>, F>;
  /** The absolute value. */
  abs(): NumberExpression<Widened<T>, F>;
  /** -1, 0 or 1. */
  sign(): NumberExpression<Int32<T["isNullable"]>, F>;
  /** Rounded to so many digits after the point, before it where negative; halves away from zero. */
  round(digits?: number): NumberExpression<Widened<T>, F>;
  /** The largest whole number that is not larger. */
  floor(): NumberExpression<Widened<T>, F>;
  /** The smallest whole number that is not smaller. */
  ceil(): NumberExpression<Widened<T>, F>;
  /** Without its fraction. */
  trunc(): NumberExpression<Widened<T>, F>;
  /** The square root; NaN of a negative number. */
  sqrt(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The cube root. */
  cbrt(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** e to the power of it. */
  exp(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The natural logarithm; -Infinity of zero, NaN of a negative number. */
  ln(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The logarithm to base 10; -Infinity of zero, NaN of a negative number. */
  log10(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The logarithm to base 2; -Infinity of zero, NaN of a negative number. */
  log2(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** It to the power of the other, as a floating-point number. */
  pow<const O extends NumberOperand<T>>(
    other: O,
  ): NumberExpression<Float64<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The sine of radians. */
  sin(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The cosine of radians. */
  cos(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The tangent of radians. */
  tan(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The arc sine in radians; NaN outside -1 to 1. */
  asin(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The arc cosine in radians; NaN outside -1 to 1. */
  acos(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The arc tangent in radians. */
  atan(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The angle in radians of the point whose y it is, and whose x is given. */
  atan2<const O extends NumberOperand<T>>(
    x: O,
  ): NumberExpression<Float64<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The hyperbolic sine. */
  sinh(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The hyperbolic cosine. */
  cosh(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** The hyperbolic tangent. */
  tanh(): NumberExpression<Float64<T["isNullable"]>, F>;
  /** Whether it is NaN. */
  isNaN(): BoolExpression<Bool<T["isNullable"]>, F>;
  /** Whether it is neither infinite nor NaN. */
  isFinite(): BoolExpression<Bool<T["isNullable"]>, F>;
  /** It, or the nearest value from low to high. */
  clip<const L extends Same<T>, const H extends Same<T>>(
    low: L,
    high: H,
  ): NumberExpression<
    WithNull<T, Either<T["isNullable"], Either<NullOf<L>, NullOf<H>>>>,
    FormOf<FormOf<F, L>, H>
  >;
  /** The label of the range between two edges that it falls into, its lower edge included; null outside of all. */
  cut(edges: readonly number[], labels?: readonly string[]): TextExpression<Text<true>, F>;
  /** As text with so many digits after the point. */
  format(format: NumberFormat): TextExpression<Text<T["isNullable"]>, F>;
  /** The moment so many whole units after 1970-01-01T00:00:00 in UTC. */
  fromEpoch(
    this: Expression<ColumnType<IntKind>, Form>,
    unit: EpochUnit,
  ): TemporalExpression<Moment<T["isNullable"]>, F>;
  /** The sum. Of whole numbers it is an int64, and one that does not fit is an error. */
  sum(this: OfRows): AggregateOf<Widened<T>>;
  /** The arithmetic mean. */
  mean(this: OfRows): AggregateOf<Float64<T["isNullable"]>>;
  /** The middle value, or the mean of the two in the middle. */
  median(this: OfRows): AggregateOf<Float64<T["isNullable"]>>;
  /** The value below which so large a part (0 to 1) of the values lies, linear between two of them. */
  quantile(this: OfRows, part: number): AggregateOf<Float64<T["isNullable"]>>;
  /** Such a value by an estimate that needs little memory. */
  approxQuantile(this: OfRows, part: number): AggregateOf<Float64<T["isNullable"]>>;
  /** The standard deviation of the sample; null for fewer than two values. */
  std(this: OfRows): AggregateOf<Float64<true>>;
  /** The variance of the sample; null for fewer than two values. */
  var(this: OfRows): AggregateOf<Float64<true>>;
  /** The skewness of the sample; null for fewer than three values. */
  skewness(this: OfRows): AggregateOf<Float64<true>>;
  /** The excess kurtosis of the sample; null for fewer than four values. */
  kurtosis(this: OfRows): AggregateOf<Float64<true>>;
  /** The correlation (Pearson) with another column; null for fewer than two rows, or where one of them does not vary. */
  corr(this: OfRows, other: Expression<ColumnType<NumberKind>, "row">): AggregateOf<Float64<true>>;
  /** The covariance of the sample with another column; null for fewer than two rows. */
  covar(this: OfRows, other: Expression<ColumnType<NumberKind>, "row">): AggregateOf<Float64<true>>;
}

/** True or false. */
export interface BoolExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** Whether both are true. */
  and<const O extends boolean | Expression<ColumnType<"bool">, Form>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether one of them is true. */
  or<const O extends boolean | Expression<ColumnType<"bool">, Form>>(
    other: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it is false. */
  not(): BoolExpression<Bool<T["isNullable"]>, F>;
  /** For how many rows it is true, as a number. */
  countIf(this: OfRows): NeverNull<Count>;
  /** Whether it is true for all rows where it is not null. */
  every(this: OfRows): AggregateOf<T>;
  /** Whether it is true for one row at least. */
  some(this: OfRows): AggregateOf<T>;
}

/** Texts. */
export interface TextExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** In lower case. */
  lower(): TextExpression<Text<T["isNullable"]>, F>;
  /** In upper case. */
  upper(): TextExpression<Text<T["isNullable"]>, F>;
  /** Without white space, or those characters, at both ends. */
  trim(characters?: string): TextExpression<Text<T["isNullable"]>, F>;
  /** Without white space, or those characters, at its start. */
  trimStart(characters?: string): TextExpression<Text<T["isNullable"]>, F>;
  /** Without white space, or those characters, at its end. */
  trimEnd(characters?: string): TextExpression<Text<T["isNullable"]>, F>;
  /** The code points from `start` up to `end`, from 0; from the end where negative. */
  slice(start: number, end?: number): TextExpression<Text<T["isNullable"]>, F>;
  /** The number of code points. */
  length(): NumberExpression<Int32<T["isNullable"]>, F>;
  /** Whether a text stands in it. */
  contains<const O extends TextOperand>(
    part: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it begins with a text. */
  startsWith<const O extends TextOperand>(
    part: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it ends with a text. */
  endsWith<const O extends TextOperand>(
    part: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Before how many code points a text first stands; -1 where it does not. */
  indexOf<const O extends TextOperand>(
    part: O,
  ): NumberExpression<Int32<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** Whether it fits a pattern in which `%` stands for any text and `_` for one code point. */
  like(pattern: string): BoolExpression<Bool<T["isNullable"]>, F>;
  /** Whether a regular expression is found in it. */
  matches(pattern: string | RegExp): BoolExpression<Bool<T["isNullable"]>, F>;
  /** What a regular expression first finds in it, or what a group of it does; null where it finds nothing. */
  extract(pattern: string | RegExp, group?: number | string): TextExpression<Text<true>, F>;
  /** All that a regular expression, or a group of it, finds in it. */
  extractAll(pattern: string | RegExp, group?: number | string): ListExpression<TextList<T["isNullable"]>, F>;
  /** With the first place that fits a text or regular expression replaced. */
  replace(pattern: string | RegExp, replacement: string): TextExpression<Text<T["isNullable"]>, F>;
  /** With all places that fit a text or regular expression replaced. */
  replaceAll(pattern: string | RegExp, replacement: string): TextExpression<Text<T["isNullable"]>, F>;
  /** The parts between a text or regular expression; by the empty text, the code points. */
  split(separator: string | RegExp): ListExpression<TextList<T["isNullable"]>, F>;
  /** The texts one after the other. */
  concat<const O extends TextOperand>(
    ...others: readonly O[]
  ): TextExpression<Text<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** With a fill text before it until it has so many code points. */
  padStart(length: number, fill?: string): TextExpression<Text<T["isNullable"]>, F>;
  /** With a fill text after it until it has so many code points. */
  padEnd(length: number, fill?: string): TextExpression<Text<T["isNullable"]>, F>;
  /** So many times. */
  repeat(times: number): TextExpression<Text<T["isNullable"]>, F>;
  /** Its code points from the end to the start. */
  reverse(): TextExpression<Text<T["isNullable"]>, F>;
  /** A date, read by a pattern such as `"%d.%m.%Y"`; a text that does not fit fails the query. */
  parseDate(pattern: string): TemporalExpression<Day<T["isNullable"]>, F>;
  /** A date, read by a pattern; null where the text does not fit. */
  tryParseDate(pattern: string): TemporalExpression<Day<true>, F>;
  /** A timestamp, read by a pattern such as `"%d.%m.%Y %H:%M"`; a text that does not fit fails the query. */
  parseTimestamp(pattern: string): TemporalExpression<Timestamp<T["isNullable"]>, F>;
  /** A timestamp, read by a pattern; null where the text does not fit. */
  tryParseTimestamp(pattern: string): TemporalExpression<Timestamp<true>, F>;
}

type Days = Expression<ColumnType<"date" | "timestamp" | "timestamptz">, Form>;
type Clocks = Expression<ColumnType<"time" | "timestamp" | "timestamptz">, Form>;
type Moments = Expression<ColumnType<"timestamp" | "timestamptz">, Form>;

/** Days and moments. */
export interface TemporalExpression<T extends AnyType, F extends Form> extends OrderedExpression<T, F> {
  /** The year. */
  year(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The quarter of the year, from 1 to 4. */
  quarter(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The month, from 1 to 12. */
  month(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The ISO week, from 1 to 53. */
  week(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The year that the ISO week belongs to. */
  weekYear(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The day of the month, from 1 to 31. */
  day(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The ISO day of the week: 1 is Monday, 7 is Sunday. */
  weekday(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The day of the year, from 1 to 366. */
  dayOfYear(this: Days): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The hour, from 0 to 23. */
  hour(this: Clocks): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The minute, from 0 to 59. */
  minute(this: Clocks): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The second, from 0 to 59. */
  second(this: Clocks): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The whole milliseconds of the second, from 0 to 999. */
  millisecond(this: Clocks): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The microseconds of the second, from 0 to 999,999. */
  microsecond(this: Clocks): NumberExpression<Int32<T["isNullable"]>, F>;
  /** The day; of a timestamptz, the day in UTC. */
  date(this: Moments): TemporalExpression<Day<T["isNullable"]>, F>;
  /** The time of day; of a timestamptz, the time in UTC. */
  time(this: Moments): TemporalExpression<Time<T["isNullable"]>, F>;
  /** The beginning of its year, month, week (Monday), … */
  trunc(this: Days, unit: TimeUnit): TemporalExpression<T, F>;
  /** So much time later, or earlier where negative. A day that the month does not have becomes its last one. */
  add(this: Days, span: TimeSpan): TemporalExpression<T, F>;
  /** How many whole units lie between an earlier moment and it, as a number. */
  diff<const O extends Same<T>>(
    this: Days,
    earlier: O,
    unit: TimeUnit,
  ): NumberExpression<Count<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** As text by a pattern such as `"%Y-%m-%d"`. */
  format(this: Days, pattern: string): TextExpression<Text<T["isNullable"]>, F>;
  /** What clocks in a zone show at this moment. */
  toTimeZone(
    this: Expression<ColumnType<"timestamptz">, Form>,
    zone: string,
  ): TemporalExpression<Timestamp<T["isNullable"]>, F>;
  /** The moment at which clocks in a zone show it. */
  fromTimeZone(
    this: Expression<ColumnType<"timestamp">, Form>,
    zone: string,
  ): TemporalExpression<Moment<T["isNullable"]>, F>;
  /** The whole units since 1970-01-01T00:00:00 in UTC, rounded down. */
  epoch(this: Days, unit: EpochUnit): NumberExpression<Int64<T["isNullable"]>, F>;
  /** The beginning of the stretch of a duration such as `"15m"` that it falls into; stretches are laid from the origin on. */
  timeBucket(this: Days, size: Duration, origin?: string | Date): TemporalExpression<T, F>;
  /** The list of it and what follows after each duration, or each month, quarter or year, up to the last; ten million of them at most. */
  stepsTo<const O extends Operand<T>>(
    this: Days,
    last: O,
    size: Duration | StepUnit,
  ): ListExpression<
    ColumnType<"list", ListOf<WithNull<T, false>>, Either<T["isNullable"], NullOf<O>>, WithNull<T, false>>,
    F
  >;
}

/** The type of a list's elements. */
type ElementOf<T extends AnyType> =
  T extends ColumnType<"list", unknown, boolean, infer E> ? (E extends AnyType ? E : AnyType) : never;

/** Lists. */
export interface ListExpression<T extends AnyType, F extends Form> extends BaseExpression<T, F> {
  /** The number of its elements. */
  length(): NumberExpression<Int32<T["isNullable"]>, F>;
  /** One element, counted from 0, or from the end where negative; null where there is none. */
  get(index: number): ExpressionOf<WithNull<ElementOf<T>, true>, F>;
  /** Whether a value is one of its elements. */
  contains<const O extends Same<ElementOf<T>>>(
    value: O,
  ): BoolExpression<Bool<Either<T["isNullable"], NullOf<O>>>, FormOf<F, O>>;
  /** The elements from `start` up to `end`; from the end where negative. */
  slice(start: number, end?: number): ListExpression<T, F>;
  /** Its elements in ascending order, nulls last. */
  sort(): ListExpression<T, F>;
  /** Each of its values once, in ascending order, without nulls. */
  distinct(): ListExpression<T, F>;
  /** The sum of its elements without nulls; null where there are none. */
  listSum(): NumberExpression<Widened<ElementOf<T>, true>, F>;
  /** The mean of its elements without nulls; null where there are none. */
  listMean(): NumberExpression<Float64<true>, F>;
  /** The smallest of its elements; null where there are none. */
  listMin(): ExpressionOf<WithNull<ElementOf<T>, true>, F>;
  /** The largest of its elements; null where there are none. */
  listMax(): ExpressionOf<WithNull<ElementOf<T>, true>, F>;
  /** Its texts without nulls in one text, with a separator between them. */
  join(
    this: Expression<ColumnType<"list", (string | null)[]>, Form>,
    separator: string,
  ): TextExpression<Text<T["isNullable"]>, F>;
}

/** The fields of a struct. */
type FieldsOf<T extends AnyType> =
  T extends ColumnType<"struct", unknown, boolean, infer S>
    ? S extends FrameSchema
      ? S
      : FrameSchema
    : never;

/** Structs. */
export interface StructExpression<T extends AnyType, F extends Form> extends BaseExpression<T, F> {
  /** One of its fields. */
  field<const C extends keyof FieldsOf<T> & string>(
    name: C,
  ): ExpressionOf<WithNull<FieldsOf<T>[C], Either<T["isNullable"], FieldsOf<T>[C]["isNullable"]>>, F>;
}

/** JSON. It has no order and no equality: cast it, or parts of it, to a type. */
export interface JsonExpression<T extends AnyType, F extends Form>
  extends Omit<
    BaseExpression<T, F>,
    "eq" | "ne" | "eqNull" | "in" | "notIn" | "nullIf" | "map" | "replaceValues" | "countDistinct"
  > {
  /** What stands at a path of names and positions, as JSON; null where nothing does, or a JSON null. */
  at(...path: readonly (string | number)[]): JsonExpression<Json<true>, F>;
}

/** An aggregate or a function of a row's position, which `over` turns into a value for each row. `E` is its type where there are no rows. */
export interface Windowed<T extends AnyType, E extends AnyType = T> {
  /** The value for each row, of the rows around it. */
  over<const W extends WindowOptions>(window: W): ExpressionOf<HoldsRow<W> extends true ? T : E, "row">;
}

/** An aggregate, of all rows of a group or some of them. */
interface Aggregated<E extends AnyType> {
  /** Of only the rows for which a condition is true. */
  where(
    condition: Expression<ColumnType<"bool">, "row">,
  ): ExpressionOf<E, "group"> & Windowed<E> & Aggregated<E>;
}

/** An aggregate of a type, which is null where there are no rows. */
export type AggregateOf<T extends AnyType> = ExpressionOf<T, "group"> &
  Windowed<T, WithNull<T, true>> &
  Aggregated<WithNull<T, true>>;

/** An aggregate of a type, which is never null. */
export type NeverNull<T extends AnyType> = ExpressionOf<T, "group"> & Windowed<T> & Aggregated<T>;

/** An expression with the methods of its type. */
export type ExpressionOf<T extends AnyType, F extends Form = "row"> = [T["kind"]] extends [NumberKind]
  ? NumberExpression<T, F>
  : [T["kind"]] extends ["bool"]
    ? BoolExpression<T, F>
    : [T["kind"]] extends ["text"]
      ? TextExpression<T, F>
      : [T["kind"]] extends [TemporalKind]
        ? TemporalExpression<T, F>
        : [T["kind"]] extends ["list"]
          ? ListExpression<T, F>
          : [T["kind"]] extends ["struct"]
            ? StructExpression<T, F>
            : [T["kind"]] extends ["json"]
              ? JsonExpression<T, F>
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
            : E extends Date
              ? Moment<false>
              : never;

/** What may stand where an expression is wanted: an expression, or a literal. */
export type ExpressionLike = Expression | string | number | bigint | boolean | Date;

/** The beginning of a choice: `when(…).when(…).otherwise(…)`. */
export interface When<T extends AnyType, F extends Form> {
  /** The value where this condition is true, and none before it was. */
  when<const C extends Expression<ColumnType<"bool">, Form>, const V extends Same<T> | null>(
    condition: C,
    value: V,
  ): When<WithNull<T, Either<T["isNullable"], NullOf<V>>>, FormOf<FormOf<F, C>, V>>;
  /** The value where no condition was true. */
  otherwise<const V extends Same<T> | null>(
    value: V,
  ): ExpressionOf<WithNull<T, Either<T["isNullable"], NullOf<V>>>, FormOf<F, V>>;
}
