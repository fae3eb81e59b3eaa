/** What the verbs of frames make of the types of columns. Only the compiler sees this file. */
import type { ExpressionLike, TypeOf, WithNull } from "../expr/expression.ts";
import type { ColumnType, FrameSchema, Kind, ListOf, NumberKind, ValueOf } from "../schema/column-type.ts";

/** Flattens a type for the reader of an error. */
export type Flat<T> = { readonly [K in keyof T]: T[K] };

/** The schema of named expressions. */
export type SchemaOf<R extends Readonly<Record<string, ExpressionLike>>> = {
  readonly [C in keyof R]: TypeOf<R[C]>;
};

/**
 * A schema with columns added or replaced. One step for each verb leads to the type of a column, so that ninety verbs in a row compile:
 * the compiler takes fifty steps at once, and remembers where it has been.
 */
export type Over<S extends FrameSchema, R> = {
  readonly [C in keyof S | keyof R]: C extends keyof R ? R[C] : C extends keyof S ? S[C] : never;
};

/** A schema in which every column may hold nulls. */
export type Nullable<S extends FrameSchema> = { readonly [C in keyof S]: WithNull<S[C], true> };

/** A schema in which some columns may hold no nulls. */
export type NotNull<S extends FrameSchema, C> = {
  readonly [K in keyof S]: K extends C ? WithNull<S[K], false> : S[K];
};

/** A schema without some columns. */
export type Without<S extends FrameSchema, C> = Flat<Omit<S, C & keyof S>>;

/** A schema with some columns under other names. */
export type Renamed<S extends FrameSchema, R> = {
  readonly [C in keyof S as C extends keyof R ? R[C] & string : C]: S[C];
};

/** The same columns with types of the same kinds: what a union takes. */
export type SameColumns<S extends FrameSchema> = {
  readonly [C in keyof S]: S[C] extends ColumnType<infer K, infer V> ? ColumnType<K, V> : never;
};

/** The nullability of a union of two. */
export type UnionOf<S extends FrameSchema, T extends FrameSchema> = {
  readonly [C in keyof S]: C extends keyof T
    ? true extends T[C]["isNullable"]
      ? WithNull<S[C], true>
      : S[C]
    : S[C];
};

/** Kinds whose values can be equal. */
type Family<K extends Kind> = K extends NumberKind ? "number" : K extends "uuid" ? "text" : K;

/** The columns of two inputs that have one name and values that can be equal. */
export type SharedColumn<S extends FrameSchema, T extends FrameSchema> = {
  [C in keyof S & keyof T & string]: Family<S[C]["kind"]> extends Family<T[C]["kind"]> ? C : never;
}[keyof S & keyof T & string];

/** For each column of the left the columns of the right with values that can be equal. */
export type KeyPairs<S extends FrameSchema, T extends FrameSchema> = {
  readonly [C in keyof S & string]?: {
    [D in keyof T & string]: Family<S[C]["kind"]> extends Family<T[D]["kind"]> ? D : never;
  }[keyof T & string];
};

/** How two inputs are joined on keys. */
export type KeyedJoin = "inner" | "left" | "right" | "full" | "semi" | "anti";

/** The names of a schema that come from the right: with a suffix where the left has them too. */
type Suffixed<T extends FrameSchema, Taken, X> = {
  readonly [C in keyof T as C extends Taken ? (X extends string ? `${C & string}${X}` : C) : C]: T[C];
};

/** Whether the left of a join may be missing from a row of the result. */
type OuterLeft<H> = H extends "right" | "full" ? true : false;
type OuterRight<H> = H extends "left" | "full" ? true : false;

/** A key of the result: of a right join as the right has it, of a full one as either has it. */
type KeyType<L extends ColumnType, R extends ColumnType, H> = H extends "right"
  ? WithNull<L, R["isNullable"]>
  : H extends "full"
    ? WithNull<L, L["isNullable"] extends true ? true : R["isNullable"]>
    : L;

/** The columns of a join on keys: `P` pairs the names of the left with those of the right. */
export type Joined<S extends FrameSchema, T extends FrameSchema, P, H, X> = H extends "semi" | "anti"
  ? S
  : Flat<
      {
        readonly [C in keyof S]: C extends keyof P
          ? KeyType<S[C], T[P[C] & keyof T], H>
          : OuterLeft<H> extends true
            ? WithNull<S[C], true>
            : S[C];
      } & Suffixed<
        {
          readonly [C in Exclude<keyof T, P[keyof P]> & string]: OuterRight<H> extends true
            ? WithNull<T[C], true>
            : T[C];
        },
        keyof S,
        X
      >
    >;

/** Names that both inputs of a join have besides the keys: none where the join takes only the left. */
type Clash<S extends FrameSchema, T extends FrameSchema, K, H> = H extends "semi" | "anti"
  ? never
  : Exclude<keyof T & keyof S, K>;

/** What a join needs of its right input: that no name is also one of the left, unless a suffix is given. */
export type NoClash<S extends FrameSchema, T extends FrameSchema, K, H, X> = [
  X extends string ? never : Clash<S, T, K, H>,
] extends [never]
  ? unknown
  : { readonly "both have these columns: give { suffix }, or rename them": Clash<S, T, K, H> };

/** Pairs of equal names. */
export type SamePairs<C extends string> = { readonly [K in C]: K };

/** The type of a list's elements. */
export type ListElement<T extends ColumnType> =
  NonNullable<ValueOf<T>> extends ListOf<infer E> ? E : ColumnType;

/** The names of columns that are numbers. */
export type NumberColumn<S extends FrameSchema> = {
  [C in keyof S & string]: S[C]["kind"] extends NumberKind ? C : never;
}[keyof S & string];

/** The names of columns that are lists. */
export type ColumnOfLists<S extends FrameSchema> = {
  [C in keyof S & string]: S[C]["kind"] extends "list" ? C : never;
}[keyof S & string];

/** A schema with the elements of a list in its place. */
export type Exploded<S extends FrameSchema, C, E> = {
  readonly [K in keyof S]: K extends C
    ? E extends true
      ? WithNull<ListElement<S[K]>, true>
      : ListElement<S[K]>
    : S[K];
};
