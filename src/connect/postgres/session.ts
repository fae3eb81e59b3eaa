import type { Connection, Submittable } from "pg";
import pg from "pg";
import { TransientError } from "../../errors.ts";
import { destroyClient } from "../../postgres-client.ts";
import { sqlState } from "../../postgres-errors.ts";
import { checkUrl, publicUrl } from "../../postgres-url.ts";
import { retry } from "../../retry.ts";
import { explain } from "./errors.ts";
import { quoteText } from "./identifier.ts";

const connectMs = 15_000;
const closeMs = 1_000;
/** How long a server that is just starting, or recovering from a crash, is waited for. */
const startingMs = 30_000;

/**
 * What every session needs: texts that mean the same wherever the server stands, a lock that is not waited for
 * endlessly, and no transaction that a stopped client holds open for ever.
 */
const session = [
  "SET client_encoding = 'UTF8'",
  "SET datestyle = 'ISO'",
  "SET intervalstyle = 'postgres'",
  "SET standard_conforming_strings = on",
  "SET client_min_messages = 'warning'",
  "SET statement_timeout = 0",
  "SET lock_timeout = '60s'",
  "SET idle_in_transaction_session_timeout = '5min'",
  // Room for the largest chunk: staged in memory, not in files, and joined in one go. Taken only as it is used.
  "SET temp_buffers = '32MB'",
  "SET work_mem = '32MB'",
  // What the server brings comes first, also where a path says otherwise: any user may make an operator of the same name.
  "SELECT pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ', pg_catalog.current_setting('search_path')), false) " +
    "WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.~) 'pg_catalog'",
].join("; ");

function setSql(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([name, value]) => `SET ${name} = ${quoteText(value)}`);
}

const rollBack = "ROLLBACK TO SAVEPOINT pawl; RELEASE SAVEPOINT pawl";

/** One session with the server. Errors are the driver's own; `explain` makes sentences of them. */
export class PostgresSession {
  readonly url: string;
  readonly #client: pg.Client;
  /** Why the connection is gone. */
  #lost: Error | null = null;

  private constructor(client: pg.Client, url: string) {
    this.#client = client;
    this.url = url;
    client.on("error", (error) => {
      this.#lost ??= error;
    });
    client.on("end", () => {
      this.#lost ??= new Error("Connection terminated");
    });
  }

  /**
   * Connects and sets what every session needs, and what this one needs besides; throws one sentence when the server
   * cannot be reached or refuses, and leaves nothing open then.
   */
  static async open(
    url: string,
    application: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<PostgresSession> {
    checkUrl(url);
    const connect = async () => {
      const client = new pg.Client({
        connectionString: url,
        application_name: application.slice(0, 63),
        connectionTimeoutMillis: connectMs,
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000,
      });
      const opened = new PostgresSession(client, url);
      try {
        await client.connect();
        await client.query([session, ...setSql(settings)].join("; "));
        return opened;
      } catch (error) {
        await opened.close();
        throw error;
      }
    };
    try {
      // SQLSTATE "cannot_connect_now": the server starts, or recovers from a crash.
      const isTransient = (error: unknown) => sqlState(error) === "57P03";
      return await retry(connect, {
        isTransient,
        deadlineMs: startingMs,
        baseMs: 100,
        capMs: 100,
        jitter: "none",
      });
    } catch (error) {
      throw explain(error, url);
    }
  }

  /** Runs `work` over a session of its own; what goes wrong with the server becomes an error that says who can help. */
  static async use<T>(
    url: string,
    application: string,
    work: (session: PostgresSession) => Promise<T>,
    settings?: Readonly<Record<string, string>>,
  ): Promise<T> {
    const session = await PostgresSession.open(url, application, settings);
    try {
      return await work(session);
    } catch (error) {
      throw explain(error, url);
    } finally {
      await session.close();
    }
  }

  /** Which database of which server this is, for as long as the address means the same one. */
  get address(): string {
    const { host, port, database } = this.#client;
    return `${host}:${port}/${database}`;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Runs statements without parameters; several, separated by semicolons, give several results. */
  async run(sql: string): Promise<pg.QueryResult[]> {
    this.#check();
    const result = (await this.#client.query(sql)) as unknown as pg.QueryResult | pg.QueryResult[];
    return Array.isArray(result) ? result : [result];
  }

  /** The one row of a query that always gives one. */
  async one<Row>(sql: string): Promise<Row> {
    const [result] = await this.run(sql);
    const row = result?.rows[0] as Row | undefined;
    if (row === undefined) throw new Error(`No row came from: ${sql}`);
    return row;
  }

  /** Runs one statement with parameters. */
  async query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult<Row>> {
    this.#check();
    // The extended protocol takes one statement only, so that a text of the user's cannot bring another along.
    const result = this.#client.query<Row>({
      text: sql,
      values: [...values],
      queryMode: "extended",
    } as pg.QueryConfig);
    return values.length > 0 ? result : result.catch(refuseParameter);
  }

  /** The same, with a plan that the server keeps under this name. */
  async prepared<Row extends pg.QueryResultRow = Record<string, unknown>>(
    name: string,
    sql: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<Row>> {
    this.#check();
    return this.#client.query<Row>({ name, text: sql, values: [...values] });
  }

  /** One statement whose rows come as arrays, with values made by `types`. */
  async arrays(
    sql: string,
    values: readonly unknown[],
    types: pg.CustomTypesConfig,
  ): Promise<pg.QueryArrayResult> {
    this.#check();
    const query = { text: sql, values: [...values], rowMode: "array" as const, types, queryMode: "extended" };
    return await this.#client.query<unknown[]>(query);
  }

  /** Runs `work` in a transaction that is committed when it resolves, and rolled back when it rejects. */
  async transaction<T>(work: () => Promise<T>, begin = "BEGIN"): Promise<T> {
    try {
      await this.run(begin);
      const result = await work();
      await this.run("COMMIT");
      return result;
    } catch (error) {
      if (!this.isLost) await this.run("ROLLBACK");
      throw error;
    }
  }

  /**
   * Runs `work` in a savepoint of the open transaction: when it rejects, what it did is rolled back, and the transaction can
   * continue. With `trial` it is rolled back either way; with `checked`, deferred constraints are checked before its end.
   */
  async savepoint<T>(
    work: () => Promise<T>,
    { trial = false, checked = false }: { readonly trial?: boolean; readonly checked?: boolean } = {},
  ): Promise<T> {
    await this.run("SAVEPOINT pawl");
    try {
      const result = await work();
      const check = checked ? "SET CONSTRAINTS ALL IMMEDIATE; " : "";
      await this.run(`${check}${trial ? rollBack : "RELEASE SAVEPOINT pawl"}`);
      return result;
    } catch (error) {
      if (!this.isLost) await this.run(rollBack);
      throw error;
    }
  }

  /** Sends the bytes to a `COPY … FROM STDIN` and returns how many rows the server counted. */
  async copy(sql: string, bytes: AsyncIterable<Buffer>): Promise<number> {
    this.#check();
    return this.#client.query(new CopyIn(sql, bytes)).done;
  }

  /** The rows of a `COPY … TO STDOUT`. Where they are not read to their end, the session has to be closed. */
  copyOut(sql: string): CopyOut {
    this.#check();
    return this.#client.query(new CopyOut(sql));
  }

  /** Closes; never waits for a server that does not answer. */
  async close(): Promise<void> {
    const timer = AbortSignal.timeout(closeMs);
    const end = this.#client.end().catch(() => {});
    await Promise.race([
      end,
      new Promise<void>((resolve) => timer.addEventListener("abort", () => resolve(), { once: true })),
    ]);
    destroyClient(this.#client);
  }

  #check(): void {
    if (this.#lost === null) return;
    throw new TransientError("postgres.lost", `The connection to ${publicUrl(this.url)} was lost.`, {
      cause: this.#lost,
    });
  }
}

/** A parameter in a text of the user's, for which there can be no value, in words of its own: the server speaks of messages. */
function refuseParameter(error: unknown): never {
  const code = (error as { readonly code?: unknown }).code;
  if (
    error instanceof Error &&
    (code === "08P01" || code === "42P18") &&
    /\bparameters?\b/.test(error.message)
  )
    throw Object.assign(error, {
      code: "42P02",
      message: "$1, $2 … are parameters, and there are no values for them: write the value itself",
    });
  throw error;
}

/** One CopyData message holds at most this much, so that neither side needs a large buffer for it. */
const messageBytes = 256 * 1024;

/**
 * A `COPY … FROM STDIN`: passes the bytes on as they come and no faster than the server takes them; the next piece is
 * asked for once the last one has left this process, whose buffer may be used again then. `done` resolves with the
 * number of rows the server counted, once it is ready for the next query.
 */
class CopyIn implements Submittable {
  readonly done: Promise<number>;
  readonly #sql: string;
  readonly #bytes: AsyncIterable<Buffer>;
  readonly #result = Promise.withResolvers<number>();
  #rows = 0;
  #over = false;
  #sourceError: unknown;
  #wake: (() => void) | null = null;

  constructor(sql: string, bytes: AsyncIterable<Buffer>) {
    this.#sql = sql;
    this.#bytes = bytes;
    this.done = this.#result.promise;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  /** Called by the driver when the server is ready for the data. */
  handleCopyInResponse(connection: CopyConnection): void {
    this.#pump(connection).catch((error: unknown) => {
      this.#sourceError = error ?? new Error("The source of a COPY failed.");
      // The server answers with an error, by which the driver comes back to a known state.
      if (!this.#over) connection.sendCopyFail("the source failed");
    });
  }

  handleCommandComplete(message: { text?: string }): void {
    this.#rows = Number(/^COPY (\d+)/.exec(message.text ?? "")?.[1] ?? 0);
  }

  handleReadyForQuery(): void {
    this.#stop();
    this.#result.resolve(this.#rows);
  }

  handleError(error: unknown): void {
    this.#stop();
    this.#result.reject(this.#sourceError ?? error);
  }

  async #pump(connection: CopyConnection): Promise<void> {
    const { stream } = connection;
    for await (const piece of this.#bytes) {
      for (let start = 0; start < piece.length; start += messageBytes) {
        if (this.#over) return;
        await this.#sent(stream, piece.subarray(start, start + messageBytes));
      }
    }
    if (!this.#over) connection.endCopyFrom();
  }

  /** Sends a message; resolves when the system has taken it, or nothing more is to be sent. */
  #sent(stream: CopyConnection["stream"], data: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.#wake = null;
      resolve();
    };
    this.#wake = wake;
    send(stream, data, wake);
    return promise;
  }

  #stop(): void {
    this.#over = true;
    this.#wake?.();
  }
}

/** Rows that have come are handed on in pieces of about this size. */
const pieceBytes = 256 * 1024;
/** So many pieces wait for the reader; then the server has to. */
const waitingPieces = 4;

/** Whole rows as COPY writes them. */
export interface CopiedRows {
  readonly bytes: Buffer;
  readonly rows: number;
}

/**
 * A `COPY … TO STDOUT`: pieces of whole rows, as they come and no faster than they are read. The iteration ends once the server has
 * said how many rows there were, and throws where that is not how many came.
 */
export class CopyOut implements Submittable, AsyncIterable<CopiedRows> {
  readonly #sql: string;
  readonly #pieces: CopiedRows[] = [];
  #piece: Buffer = Buffer.allocUnsafe(pieceBytes);
  #filled = 0;
  #rowsInPiece = 0;
  #came = 0;
  #counted: number | null = null;
  #over = false;
  #error: unknown = null;
  #stream: CopyConnection["stream"] | null = null;
  #wake: (() => void) | null = null;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** How many rows there were; only after the end. */
  get rows(): number {
    return this.#came;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  /** Called by the driver for each row, in memory that it uses again. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }, connection: CopyConnection): void {
    this.#came++;
    this.#stream = connection.stream;
    if (this.#filled + chunk.length > this.#piece.length) this.#handOn();
    if (chunk.length > this.#piece.length) this.#piece = Buffer.allocUnsafe(chunk.length);
    chunk.copy(this.#piece, this.#filled);
    this.#filled += chunk.length;
    this.#rowsInPiece++;
  }

  handleCommandComplete({ text = "" }: { text?: string }): void {
    const tag = /^COPY (\d+)$/.exec(text);
    this.#counted = tag === null ? null : Number(tag[1]);
  }

  handleReadyForQuery(): void {
    this.#handOn();
    this.#end(this.#counted === this.#came ? null : this.#short());
  }

  handleError(error: unknown): void {
    this.#end(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CopiedRows, void, undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        if (this.#pieces.length < waitingPieces) this.#stream?.resume();
        yield piece;
        continue;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#over) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  #handOn(): void {
    if (this.#filled === 0) return;
    this.#pieces.push({ bytes: this.#piece.subarray(0, this.#filled), rows: this.#rowsInPiece });
    this.#piece = Buffer.allocUnsafe(pieceBytes);
    this.#filled = 0;
    this.#rowsInPiece = 0;
    if (this.#pieces.length >= waitingPieces) this.#stream?.pause();
    this.#wake?.();
  }

  #end(error: unknown): void {
    this.#over = true;
    this.#error ??= error;
    // A connection that stays paused would answer nothing any more.
    this.#stream?.resume();
    this.#wake?.();
  }

  #short(): TransientError {
    return new TransientError(
      "postgres.lost",
      `The server counted ${this.#counted ?? "no"} rows of a table, and ${this.#came} came: read it again.`,
    );
  }
}

/** What the driver's connection offers beyond its published types. */
interface CopyConnection {
  readonly stream: NodeJS.ReadWriteStream & { cork(): void; uncork(): void };
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

function send(stream: CopyConnection["stream"], data: Buffer, taken: () => void): void {
  const head = Buffer.allocUnsafe(5);
  head[0] = 0x64; // 'd', CopyData
  head.writeUInt32BE(data.length + 4, 1);
  stream.cork();
  stream.write(head);
  // An error is told to the connection, which tells the driver, which ends the COPY.
  stream.write(data, taken);
  stream.uncork();
}
