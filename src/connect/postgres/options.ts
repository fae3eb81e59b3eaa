import type { Duration } from "../../durations.ts";

/**
 * What `postgres()` does with a row whose key is in the table already: `update` changes what differs, `ignore` keeps the row that
 * is there, and `fail` quarantines the new one.
 */
export type OnConflict = "update" | "ignore" | "fail";

/** Into which table `postgres()` and `insert()` write, and how. */
export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`; what it leaves out comes from PGUSER, PGPASSWORD and so on. */
  readonly url: string;
  /** `table` or `schema.table`, in double quotes where a name has dots or capitals. */
  readonly table: string;
  /** The columns that identify a row. They need a unique index, unless `onConflict` is `fail`. @default the primary key */
  readonly key?: readonly string[];
  /**
   * The column of the table by name in the source; `-` or an empty text leaves a value out.
   * @default each value goes to the column of its own name, or of that name but for capitals
   */
  readonly map?: Readonly<Record<string, string>>;
  /**
   * SQL expression by column of the table, such as `now()` or `lower(email)`. It may use the names of the source,
   * also of values that are left out, which are texts. A row that is there is changed where the
   * value differs, whether it depends on the row, is constant, or comes from a subquery. The time, a draw and what a volatile function
   * gives (`now()`, `gen_random_uuid()`, `nextval('s')`) go only into rows that change anyway.
   * @default no expression
   */
  readonly set?: Readonly<Record<string, string>>;
  /**
   * What to do with a row whose key is in the table. Without a key, `fail` appends every row.
   * @default "update"; every row is appended where `create` makes a table without a key
   */
  readonly onConflict?: OnConflict;
  /**
   * Adds every row, whatever its key: no row is looked up, changed or left out. Each is added once, however often the run
   * is interrupted, by the checkpoint that is committed with it. A row that a unique index refuses is quarantined.
   * @default false
   */
  readonly append?: boolean;
  /**
   * SQL condition under which a row that is there is changed, such as `excluded.updated_at > customers.updated_at`: `excluded`
   * is the new row, and the table's own name the one that is there. A row for which it does not hold stays, and counts as
   * unchanged. Rows with one key are taken one after the other, in their order.
   * @default a row is changed wherever it differs
   */
  readonly updateIf?: string;
  /**
   * Once everything is loaded, deletes the rows of the table whose key did not come. A run that quarantined rows, that failed or
   * that was given up deletes none, and neither does a replay. Needs checkpoints, and a key without nulls.
   * @default false
   */
  readonly deleteMissing?: boolean;
  /**
   * How many rows `deleteMissing` may delete at most, or which share of the table: where more are missing, the run fails, and none
   * is deleted.
   * @default "10%"
   */
  readonly maxDeletes?: number | `${number}%`;
  /** Sets the sequences of the columns that were loaded to their greatest values, where they are behind. @default false */
  readonly resetSequence?: boolean;
  /** Creates the table when it is missing, with types inferred from the first items. @default false */
  readonly create?: boolean;
  /** The user's word that no key comes twice, so that the order of rows does not matter. @default false */
  readonly unique?: boolean;
}

/** A row of a table, by column name. What JavaScript cannot hold exactly is the text that PostgreSQL writes. */
export type TableRow = Readonly<Record<string, unknown>>;

/** Which rows of a table `table()` reads. */
export interface TableOptions {
  /** `postgres://user:password@host:5432/database`; what it leaves out comes from PGUSER, PGPASSWORD and so on. */
  readonly url: string;
  /** `table` or `schema.table`, in double quotes where a name has dots or capitals. */
  readonly table: string;
  /**
   * The columns in whose order rows are read. They should have an index of their own.
   * @default the primary key, or else a unique key without nulls
   */
  readonly key?: readonly string[];
  /** The columns that items bring. @default all */
  readonly columns?: readonly string[];
  /** An SQL condition, such as `token IS NULL`: only rows that meet it are read. @default all rows */
  readonly where?: string;
}

/** How `del()` deletes rows of a table that is in use. */
export interface DeleteOptions {
  /** `postgres://user:password@host:5432/database`; what it leaves out comes from PGUSER, PGPASSWORD and so on. */
  readonly url: string;
  /** `table` or `schema.table`, in double quotes where a name has dots or capitals. */
  readonly table: string;
  /** The columns that identify a row in the items. @default the primary key, or else a unique key without nulls */
  readonly key?: readonly string[];
  /** How long to wait for a row or the table that another session has locked; then the chunk is tried again. @default "1s" */
  readonly lockTimeout?: Duration;
  /** How long one statement may take. @default "10s" */
  readonly statementTimeout?: Duration;
}

/** How `update()` changes rows of a table that is in use. */
export interface UpdateOptions extends DeleteOptions {
  /**
   * SQL expression by column, such as `gen_random_uuid()` or `lower(email)`; it may use the row as it is in the table.
   * Without a transform, only these change rows, and no row leaves the database.
   * @default no expression: the columns that the transform returns are written
   */
  readonly set?: Readonly<Record<string, string>>;
}
