import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { PawlError } from "../../errors.ts";
import type { Clock } from "../clock.ts";
import { patiently } from "./patience.ts";

export type Row = Record<string, unknown>;

/** One open file: its prepared statements, and the way its reads and transactions wait for other processes. */
export class Connection {
  readonly location: string;
  readonly clock: Clock;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Those whose rows are arrays. */
  readonly #tupleStatements = new Map<string, StatementSync>();
  /** Transactions of one process run in the order in which they were asked for. */
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(database: DatabaseSync, location: string, clock: Clock) {
    this.#database = database;
    this.location = location;
    this.clock = clock;
  }

  /** All rows of a statement. */
  all<R = Row>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.#prepared(sql).all(...values) as R[];
  }

  /** The first row of a statement. */
  get<R = Row>(sql: string, ...values: SQLInputValue[]): R | undefined {
    return this.#prepared(sql).get(...values) as R | undefined;
  }

  /** All rows of a statement as arrays, in the order of the columns: cheaper than objects where there are many. */
  tuples<R extends readonly SQLOutputValue[]>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.#prepared(sql, true).all(...values) as unknown as R[];
  }

  /** The first row of a statement as an array. */
  tuple<R extends readonly SQLOutputValue[]>(sql: string, ...values: SQLInputValue[]): R | undefined {
    return this.#prepared(sql, true).get(...values) as unknown as R | undefined;
  }

  /** Runs an INSERT; returns the number of the new row, or null if a conflict prevented it. */
  insert(sql: string, ...values: SQLInputValue[]): number | null {
    const { changes, lastInsertRowid } = this.#prepared(sql).run(...values);
    return changes === 0 ? null : Number(lastInsertRowid);
  }

  /** Whether a statement has a row. */
  has(sql: string, ...values: SQLInputValue[]): boolean {
    return this.#prepared(sql).get(...values) !== undefined;
  }

  /** Runs a statement; returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  /** Reads without a lock: in write-ahead mode readers and writers do not wait for each other. */
  async read<T>(work: () => T): Promise<T> {
    this.#assertOpen();
    return await patiently(work, this.location);
  }

  /** Runs `work` in one transaction that is durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(work: () => T): Promise<T> {
    this.#assertOpen();
    const turn = this.#last.then(() => patiently(() => this.#transaction(work), this.location));
    this.#last = turn.catch(() => {});
    return await turn;
  }

  /** Waits for the transactions that were asked for, then closes the file. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => {
      this.#statements.clear();
      this.#tupleStatements.clear();
      this.#database.close();
    });
    return this.#closing;
  }

  #transaction<T>(work: () => T): T {
    // IMMEDIATE takes the write lock at once: a transaction that starts as a reader cannot wait for it later.
    this.#prepared("BEGIN IMMEDIATE").run();
    try {
      const result = work();
      this.#prepared("COMMIT").run();
      return result;
    } catch (error) {
      // Some errors, such as a full disk, have rolled back already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #prepared(sql: string, asArrays = false): StatementSync {
    const statements = asArrays ? this.#tupleStatements : this.#statements;
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReturnArrays(asArrays);
      statements.set(sql, statement);
    }
    return statement;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new PawlError("store.closed", `The store ${this.location} is closed: open it again to use it.`);
    }
  }
}
