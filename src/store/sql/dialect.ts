/** What the databases say differently: `sqlite/dialect.ts` and `postgres/dialect.ts` say it. */

export type Value = string | number | boolean | null | Uint8Array;

/** Makes a value a parameter of the statement; returns its placeholder. */
export type Bind = (value: Value) => string;

/** A part of a statement that the drivers say differently. */
export type Fragment = (dialect: Dialect, bind: Bind) => string;

/** What the drivers say differently. */
export interface Dialect {
  placeholder(number: number): string;
  /** The time of the store's clock. */
  now(bind: Bind): string;
  /** The rest of a condition after a column: that it has one of these values. */
  oneOf(values: readonly (string | number)[], bind: Bind): string;
  /** A table in a FROM with these columns. */
  rows(name: string, columns: ColumnValues, bind: Bind): string;
  /** That a column has the value of another row, which is looked up by an index. */
  lookup(column: string, value: string): string;
  /** What follows a SELECT whose rows no other transaction may change until the transaction ends. */
  lock(clause: string): string;
  /** That the task is dead, as its index says it. */
  readonly isDead: string;
  /** That the task waits or is leased, and has this unique key. */
  holdsKey(values: readonly string[], bind: Bind): string;
  /** That one task waits or is leased and has the unique key of another. */
  sharesKey(open: string, other: string): string;
  /** That the task waits, was never begun and has waited for longer than it may. */
  hasExpired(bind: Bind): string;
  /** That the payload contains a text, in upper or lower case. */
  payloadHolds(text: string, bind: Bind): string;
  /** The columns of a `Transitioned`, for a SELECT or a RETURNING. */
  readonly transitioned: string;
  /** The column by which an attempt names its task. */
  readonly attemptKey: string;
  /** The column by which changes are in the order in which they were recorded. */
  readonly changeKey: string;
}

/** The columns of a table by name: the type in SQL, and the values. */
export type ColumnValues = Readonly<
  Record<string, readonly ["text" | "bigint", readonly (string | number | null | undefined)[]]>
>;
