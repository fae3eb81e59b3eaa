import pg from "pg";
import type { Value } from "../sql/dialect.ts";
import { bound, type Procedure, type Step } from "../sql/statement.ts";
import { postgresDialect } from "./dialect.ts";

/** Instants, counters and fences are bigint to the server; as numbers they are exact for the next 285,000 years. */
const INT8 = 20;
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as "text"),
};

/** Runs statements on one connection: one of the pool, or one of the caller's. */
export class Connection {
  readonly #client: pg.ClientBase;
  readonly #schema: string;
  readonly #replyMs: number | undefined;
  readonly #prepares: boolean;
  #pending: Promise<unknown>[] = [];
  #last: Promise<unknown> = Promise.resolve();
  /** The first error: those that follow in a transaction only say that there was one. */
  failure: unknown;

  /** After `replyMs` without an answer the connection is closed. `prepares` where the server keeps the session. */
  constructor(client: pg.ClientBase, schema: string, replyMs?: number, prepares = false) {
    this.#client = client;
    this.#schema = schema;
    this.#replyMs = replyMs;
    this.#prepares = prepares;
  }

  /** All rows of a statement. Statements name the schema `pawl`, whatever it is called. */
  async all<R>(sql: string, values: readonly Value[] = []): Promise<R[]> {
    return (await this.#query(sql, values)).rows as R[];
  }

  /** All rows of a statement as arrays, in the order of the columns: cheaper than objects where there are many. */
  async tuples<R>(sql: string, values: readonly Value[] = []): Promise<R[]> {
    return (await this.#query(sql, values, true)).rows as R[];
  }

  /** The first row of a statement. */
  async get<R>(sql: string, values: readonly Value[] = []): Promise<R | undefined> {
    return (await this.all<R>(sql, values))[0];
  }

  /** Runs a statement; returns how many rows it changed. */
  async run(sql: string, values: readonly Value[] = []): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0;
  }

  /** Sends a statement whose result does not matter along with whatever comes next. Its error comes with `settled`. */
  later(sql: string, values: readonly Value[] = []): void {
    const pending = this.#query(sql, values);
    pending.catch(() => {});
    this.#pending.push(pending);
  }

  /** Runs a procedure. */
  async perform<T>(procedure: Procedure<T>): Promise<T> {
    let next = procedure.next();
    while (!next.done) {
      let answer: unknown;
      try {
        answer = await this.#answer(next.value);
      } catch (error) {
        next = procedure.throw(error);
        continue;
      }
      next = procedure.next(answer);
    }
    return next.value;
  }

  #answer(step: Step): unknown {
    if (step.kind === "call") return step.work();
    // All at once, and awaited together: should the connection break, every one of them fails.
    if (step.kind === "together") return Promise.all(step.procedures.map((each) => this.perform(each)));
    const statement = step.kind === "lock" ? step.statement() : step.statement;
    const { text, values } = bound(statement, postgresDialect);
    if (step.kind === "rows") return this.all(text, values);
    if (step.kind === "tuples") return this.tuples(text, values);
    if (step.kind === "count") return this.run(text, values);
    return this.later(text, values);
  }

  /** Resolves when everything that was sent with `later` has been done. */
  async settled(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
  }

  /** Runs a text of several statements without values; gives the result of each. */
  async script(sql: string): Promise<pg.QueryResult[]> {
    const results = (await this.#query(sql, [])) as unknown as pg.QueryResult | pg.QueryResult[];
    return Array.isArray(results) ? results : [results];
  }

  async #query(sql: string, values: readonly Value[], asArrays = false): Promise<pg.QueryResult> {
    try {
      return await this.#send(sql, values, asArrays);
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  #send(sql: string, values: readonly Value[], asArrays: boolean): Promise<pg.QueryResult> {
    const config: pg.QueryConfig & { query_timeout?: number; rowMode?: "array" } = {
      text: inSchema(sql, this.#schema),
      types,
    };
    if (asArrays) config.rowMode = "array";
    if (values.length > 0) config.values = [...values];
    const name = this.#prepares ? names.get(sql) : undefined;
    if (name !== undefined) config.name = name;
    if (this.#replyMs !== undefined) config.query_timeout = this.#replyMs;
    if ((this.#client as pg.Client).pipeline) return this.#client.query(config);
    // A client of the caller's may be one that takes a statement at a time.
    const turn = this.#last.then(() => this.#client.query(config));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

const names = new Map<string, string>();

/** Marks a statement that is sent all the time: where that can be, the server plans it once a connection. */
export function prepared(sql: string): string {
  if (!names.has(sql)) names.set(sql, `pawl_${names.size}`);
  return sql;
}

const renamed = new Map<string, string>();

/** Statements are written for the schema `pawl`; elsewhere they are rewritten once each. */
function inSchema(sql: string, schema: string): string {
  if (schema === "pawl") return sql;
  const key = `${schema} ${sql}`;
  let text = renamed.get(key);
  if (text === undefined) {
    text = sql.replaceAll(/\bpawl\./g, `${schema}.`);
    renamed.set(key, text);
  }
  return text;
}

/** A transaction of the caller's: a client of `pg`, or one that a pool of `pg` has lent. */
export function callersConnection(tx: unknown, schema: string): Connection {
  if (typeof tx === "object" && tx !== null && "query" in tx && typeof tx.query === "function") {
    return new Connection(tx as pg.ClientBase, schema);
  }
  throw new TypeError("The transaction to enqueue in must be a client of pg, on which BEGIN was said.");
}
