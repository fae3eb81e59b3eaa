/** Which rows of a table a source reads. */
export interface TableOptions {
  /** `postgres://user:password@host:5432/database`; what it leaves out comes from PGUSER, PGPASSWORD and so on. */
  readonly url: string;
  /** `table` or `schema.table`. */
  readonly table: string;
  /** The columns in whose order rows are read; default the primary key. They should have an index of their own. */
  readonly key?: readonly string[];
  /** The columns that items bring; default all. */
  readonly columns?: readonly string[];
  /** An SQL condition, such as `token IS NULL`: only rows that meet it. */
  readonly where?: string;
}

/** How rows of a table that is in use are deleted. */
export interface DelOptions {
  readonly url: string;
  readonly table: string;
  /** The columns that identify a row in the items; default the primary key. */
  readonly key?: readonly string[];
  /** How long to wait for a row or the table that somebody else has locked, in milliseconds. Default 1000. */
  readonly lockTimeoutMs?: number;
  /** How long one statement may take, in milliseconds. Default 10,000. */
  readonly statementTimeoutMs?: number;
}

/** How rows of a table that is in use are changed. */
export interface UpdateOptions extends DelOptions {
  /**
   * SQL expression by column, such as `gen_random_uuid()` or `lower(email)`; it may use the row as it is in the table.
   * Without a step between, only these change rows, and no row leaves the database.
   */
  readonly set?: Readonly<Record<string, string>>;
}
