import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { TransientError } from "../../errors.ts";
import { retry } from "../../retry.ts";
import type { Clock } from "../clock.ts";
import type { Value } from "../sql/dialect.ts";
import { storeClosed } from "../sql/errors.ts";
import { bound, type Procedure, type Step } from "../sql/statement.ts";
import { SqliteDialect } from "./dialect.ts";
import { explain, isBusy } from "./errors.ts";
import { type FileIdentity, gone, isGone } from "./file-identity.ts";
import { assertKnown } from "./schema.ts";

export type SqliteRow = Record<string, unknown>;

/** How long an operation waits for other processes before it fails with a TransientError. */
const BUSY_MS = 15_000;

/**
 * How long SQLite itself may block the thread while another process writes. Short, because the event loop stands
 * still meanwhile; the rest is waited for without blocking.
 */
export const BLOCKING_MS = 10;

/** Pauses are short, because most transactions are, and random, so that two do not meet again and again. */
const UNTIL_FREE = { isTransient: isBusy, deadlineMs: BUSY_MS, baseMs: 16, capMs: 16 };

/**
 * Runs `attempt` until the file is not busy. SQLite's own waiting is unfair and blocks, and it does not cover the
 * moment when a fresh file is switched to write-ahead logging, so busy files are waited for here.
 */
export async function whenFree<T>(attempt: () => T, location: string): Promise<T> {
  try {
    return await retry(attempt, UNTIL_FREE);
  } catch (error) {
    throw explain(error, location);
  }
}

interface Write {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** One open file: its prepared statements, and the way its reads and transactions wait for other processes. */
export class Connection {
  readonly location: string;
  readonly clock: Clock;
  readonly #dialect: SqliteDialect;
  readonly #database: DatabaseSync;
  readonly #files: FileIdentity;
  readonly #statements = new Map<string, StatementSync>();
  /** Those whose rows are arrays. */
  readonly #tupleStatements = new Map<string, StatementSync>();
  /** What is to be written, in the order in which it was asked for. */
  #waiting: Write[] = [];
  /** The counter of wake-ups when it was last read. */
  #wakeups = 0;
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(database: DatabaseSync, files: FileIdentity, location: string, clock: Clock) {
    this.#database = database;
    this.#files = files;
    this.location = location;
    this.clock = clock;
    this.#dialect = new SqliteDialect(clock);
  }

  /** All rows of a statement. */
  all<R = SqliteRow>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.#prepared(sql).all(...values) as R[];
  }

  /** The first row of a statement. */
  get<R = SqliteRow>(sql: string, ...values: SQLInputValue[]): R | undefined {
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

  /** Runs a procedure from beginning to end, without a pause. */
  perform<T>(procedure: Procedure<T>): T {
    let next = procedure.next();
    while (!next.done) {
      let answer: unknown;
      try {
        answer = this.#answer(next.value);
      } catch (error) {
        next = procedure.throw(error);
        continue;
      }
      next = procedure.next(answer);
    }
    return next.value;
  }

  /** Reads without a lock: in write-ahead mode readers and writers do not wait for each other. */
  async read<T>(work: () => T): Promise<T> {
    this.#assertOpen();
    return await whenFree(() => {
      this.#files.assertFile();
      return work();
    }, this.location);
  }

  /** Runs `work` in a transaction that is durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(work: () => T): Promise<T> {
    this.#assertOpen();
    return await new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Waits for the transactions that were asked for, then closes the file. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= (this.#writing ?? Promise.resolve()).then(() => {
      this.#statements.clear();
      this.#tupleStatements.clear();
      this.#database.close();
    });
    return this.#closing;
  }

  #answer(step: Step): unknown {
    if (step.kind === "call") return step.work();
    if (step.kind === "together") return step.procedures.map((procedure) => this.perform(procedure));
    // There is nothing to lock: a transaction has the file to itself.
    if (step.kind === "lock") return undefined;
    const { text, values } = bound(step.statement, this.#dialect);
    if (step.kind === "rows") return this.all(text, ...values.map(toInput));
    if (step.kind === "tuples") return this.tuples(text, ...values.map(toInput));
    return this.run(text, ...values.map(toInput));
  }

  /**
   * What was asked for in one turn of the event loop goes into one transaction, because most of the time of a small one
   * is the flush to disk. Should one of them fail, each has a transaction of its own.
   */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate);
      const together = this.#waiting;
      this.#waiting = [];
      if (together.length > 1 && (await this.#writeTogether(together))) continue;
      for (const { work, resolve, reject } of together) {
        await whenFree(() => this.#transaction(work), this.location).then(resolve, reject);
      }
    }
    this.#writing = undefined;
  }

  /** False when one of them failed, and nothing happened. */
  async #writeTogether(writes: readonly Write[]): Promise<boolean> {
    try {
      const all = () => this.#transaction(() => writes.map(({ work }) => work()));
      const values = await whenFree(all, this.location);
      for (const [at, { resolve }] of writes.entries()) resolve(values[at]);
      return true;
    } catch (error) {
      // One of them cannot be done, or was too much: then the others can. An error of the file is one of all.
      if (!(error instanceof TransientError) && !isGone(error)) return false;
      for (const { reject } of writes) reject(error);
      return true;
    }
  }

  #transaction<T>(work: () => T): T {
    this.#assertNames();
    try {
      // IMMEDIATE takes the write lock at once: a transaction that starts as a reader cannot wait for it later.
      this.#prepared("BEGIN IMMEDIATE").run();
      this.#assertContent();
      const result = work();
      const wakeups = this.#countWakeups();
      this.#prepared("COMMIT").run();
      this.#wakeups = wakeups;
      // Nothing may be acknowledged that another process could not find. Whether the log went meanwhile, which is still open here,
      // is asked before anything else is written.
      this.#files.assertFile();
      return result;
    } catch (error) {
      // Some errors, such as a full disk, have rolled back already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      // Of a file that was emptied SQLite says that it is damaged.
      this.#files.assertFile();
      throw error;
    }
  }

  /** Nothing may be written that another process could not find. */
  #assertNames(): void {
    try {
      this.#files.assertNames();
    } catch (error) {
      // What was committed before, and acknowledged, is still in the open log. It must not end with this process.
      if (this.#files.lacksOnlyLog) this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      throw error;
    }
  }

  /**
   * A newer program may have changed the tables while they were open, and an older copy may have been written over the
   * file: then a counter that only grows is behind, unless the log still holds it.
   */
  #assertContent(): void {
    const [version = 0] = this.tuple<[number]>("PRAGMA user_version") ?? [];
    assertKnown(version, this.location);
    if (this.#countWakeups() < this.#wakeups) throw gone(this.location);
  }

  #countWakeups(): number {
    return this.tuple<[number]>("SELECT value FROM counter WHERE name = 'wakeups'")?.[0] ?? 0;
  }

  #prepared(sql: string, asArrays = false): StatementSync {
    const statements = asArrays ? this.#tupleStatements : this.#statements;
    let statement = statements.get(sql);
    if (statement === undefined) {
      // Statements for all drivers name the schema.
      statement = this.#database.prepare(sql.replaceAll("pawl.", ""));
      statement.setReturnArrays(asArrays);
      statements.set(sql, statement);
    }
    return statement;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw storeClosed(this.location);
    }
  }
}

function toInput(value: Value): SQLInputValue {
  return typeof value === "boolean" ? Number(value) : value;
}
