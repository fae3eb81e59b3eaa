import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance, DuckDBResult } from "@duckdb/node-api";
import { PawlError } from "../../../errors.ts";
import type { ColumnField } from "../../schema/column-type.ts";
import type { Batch, QueryOptions } from "../contract.ts";
import { batchOf } from "./batch.ts";
import { call, ended, hasFailed } from "./calls.ts";
import { resultFields } from "./column-types.ts";
import { engineError } from "./errors.ts";
import { quoteText } from "./quote.ts";

/** What a query needs of its session. */
export interface QueryHome {
  readonly instance: DuckDBInstance;
  /** A folder of the session for small files of its own. */
  readonly folder: string;
  /** Bytes of memory of the engine, for messages. */
  readonly memory: number;
}

/** What DuckDB counted of a query, written when it had ended well. */
export interface Profile {
  readonly rows_returned?: number;
  readonly children?: readonly ProfileNode[];
}

/** A step of a query that ran. */
export interface ProfileNode {
  readonly operator_type?: string;
  readonly operator_name?: string;
  readonly operator_cardinality?: number;
  readonly operator_rows_scanned?: number;
  readonly operator_timing?: number;
  readonly result_set_size?: number;
  readonly extra_info?: Readonly<Record<string, unknown>>;
  readonly children?: readonly ProfileNode[];
}

/** Progress is told this often at most. */
const BETWEEN_REPORTS_MS = 100;

/** How many rows a query gave. Where a part of it is kept for several uses, DuckDB counts none, and its last step all. */
function returnedRows(profile: Profile): number | undefined {
  let step = profile.children?.at(-1);
  if (step?.operator_type !== "CTE") return profile.rows_returned;
  while (step?.operator_type === "CTE") step = step.children?.at(-1);
  return step?.operator_cardinality;
}

const SETTINGS = [
  "SET TimeZone = 'UTC'",
  "SET enable_progress_bar = true",
  "SET enable_progress_bar_print = false",
  "SET progress_bar_time = 0",
];

/** A connection of its own for the statements of one query: what is interrupted, limited or set there touches no other query. */
export class DuckDBQuery {
  readonly connection: DuckDBConnection;
  readonly #home: QueryHome;
  readonly #options: QueryOptions;
  readonly #onAbort = () => this.#interrupt();
  #interrupted = false;
  #counted: Profile | undefined;
  #reported = 0;
  #closed = false;
  #stream: DuckDBResult | undefined;

  private constructor(connection: DuckDBConnection, home: QueryHome, options: QueryOptions) {
    this.connection = connection;
    this.#home = home;
    this.#options = options;
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Opens a connection. It has to be closed. */
  static async open(home: QueryHome, options: QueryOptions = {}): Promise<DuckDBQuery> {
    options.signal?.throwIfAborted();
    const connection = await call(() => home.instance.connect());
    const query = new DuckDBQuery(connection, home, options);
    for (const setting of SETTINGS) await call(() => connection.run(setting));
    return query;
  }

  /** Runs a statement whose result is small, and resolves with its rows as plain values. */
  async run(sql: string): Promise<Record<string, unknown>[]> {
    const result = await this.#started(sql, "whole");
    return await call(async () => (await result.getRowObjectsJS()) as Record<string, unknown>[]);
  }

  /** Runs a statement whose result is small, and keeps what DuckDB counted of it in `profile`. */
  async runCounted(sql: string): Promise<Record<string, unknown>[]> {
    const profile = await this.#profile("COUNTS");
    const rows = await this.run(sql);
    this.#counted = await profile();
    return rows;
  }

  /** The columns of a query, which is not run. */
  async fields(sql: string): Promise<readonly ColumnField[]> {
    const result = await this.#started(`SELECT * FROM (${sql}) LIMIT 0`, "whole");
    return resultFields(result.columnNames(), result.columnTypes());
  }

  /**
   * The rows of a query. DuckDB ends a stream without an error when its query fails or is interrupted, so the end is taken for the end only
   * where its result has not failed, and the number of rows is the one that DuckDB itself wrote down after the query.
   */
  async *batches(sql: string, fields: readonly ColumnField[]): AsyncGenerator<Batch, void, undefined> {
    const profile = await this.#profile("COUNTS");
    const result = await this.#started(sql, "stream");
    this.#stream = result;
    assertColumns(result, fields);
    let rows = 0;
    for (;;) {
      this.#assertOpen();
      const chunk = await this.#translated(() => call(() => result.fetchChunk()));
      if (chunk === null || chunk.rowCount === 0) break;
      rows += chunk.rowCount;
      yield batchOf(chunk, fields);
      this.#report();
    }
    this.#stream = undefined;
    this.#assertOpen();
    if (hasFailed(result)) throw await this.#reason(sql, rows);
    this.#counted = await profile();
    const counted = returnedRows(this.#counted) ?? (await this.#countedAgain(sql));
    if (counted !== rows)
      throw new PawlError(
        "data.short",
        `The engine ended the query after ${rows} rows and had counted ${counted}: the result is not whole. Run it again.`,
      );
  }

  /** Runs a statement and resolves with what DuckDB counted of it. */
  async profiled(sql: string): Promise<Profile> {
    const profile = await this.#profile("ALL");
    await this.#started(sql, "whole");
    return await profile();
  }

  /** The instance that runs it. */
  get instance(): DuckDBInstance {
    return this.#home.instance;
  }

  /** What DuckDB counted of the last stream that came to its end. */
  get profile(): Profile | undefined {
    return this.#counted;
  }

  /** Another connection beside this one, with the same settings. */
  async another(): Promise<DuckDBQuery> {
    const { signal } = this.#options;
    return await DuckDBQuery.open(this.#home, signal === undefined ? {} : { signal });
  }

  /** Whether the query was ended from outside. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Ends what runs, and frees what it holds. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    const stream = this.#stream;
    if (stream !== undefined) {
      // A stream that is left early holds its buffers until its end is fetched.
      this.connection.interrupt();
      await call(() => stream.fetchChunk()).catch(() => null);
    }
    this.connection.closeSync();
  }

  async #started(sql: string, how: "whole" | "stream"): Promise<DuckDBResult> {
    this.#assertOpen();
    return await this.#translated(async () => {
      const prepared = await call(() => this.connection.prepare(sql));
      this.#assertOpen();
      const pending = how === "whole" ? prepared.start() : prepared.startStream();
      try {
        await ended(pending, () => this.#report());
        return await call(() => pending.getResult());
      } finally {
        prepared.destroySync();
      }
    });
  }

  /** Makes DuckDB write down what it counts of the next statement; what is returned reads it. */
  async #profile(metrics: "COUNTS" | "ALL"): Promise<() => Promise<Profile>> {
    const path = join(this.#home.folder, `profile-${randomUUID()}.json`);
    const settings =
      metrics === "ALL"
        ? ""
        : `SET custom_profiling_settings = '{"ROWS_RETURNED": "true", "OPERATOR_CARDINALITY": "true"}'; `;
    await call(() =>
      this.connection.run(
        `SET enable_profiling = 'json'; ${settings}SET profiling_output = ${quoteText(path)}`,
      ),
    );
    return async () => {
      try {
        return JSON.parse(await readFile(path, "utf8")) as Profile;
      } catch {
        return {};
      } finally {
        await rm(path, { force: true });
      }
    };
  }

  /** How many rows a query has. DuckDB writes nothing down of some that it answers without a plan, such as a single row of constants. */
  async #countedAgain(sql: string): Promise<number> {
    const [row] = await this.run(`SELECT count(*)::DOUBLE AS counted FROM (${sql}) AS pawl_again`);
    return Number(row?.counted);
  }

  /** Why a stream has failed, which DuckDB does not tell: the query is run once more without keeping its rows. */
  async #reason(sql: string, rows: number): Promise<unknown> {
    const again = await this.another();
    try {
      await again.run(`SELECT count(*) FROM (${sql}) AS pawl_again WHERE hash(pawl_again) IS NULL`);
    } catch (error) {
      return error;
    } finally {
      await again.close();
    }
    return new PawlError(
      "data.short",
      `The engine ended the query after ${rows} rows without saying why: the result is not whole. Run it again.`,
    );
  }

  #interrupt(): void {
    this.#interrupted = true;
    if (!this.#closed) this.connection.interrupt();
  }

  #assertOpen(): void {
    this.#options.signal?.throwIfAborted();
    if (this.#closed)
      throw new PawlError(
        "data.closed",
        "The query was ended, since its run was closed before its last row.",
      );
  }

  async #translated<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      this.#assertOpen();
      throw engineError(error, this.#home.memory);
    }
  }

  #report(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined || this.#closed) return;
    const now = performance.now();
    if (now - this.#reported < BETWEEN_REPORTS_MS) return;
    this.#reported = now;
    const { percentage } = this.connection.progress;
    if (percentage >= 0) onProgress(Math.min(percentage / 100, 1));
  }
}

/** A result with other columns than the plan has is a defect of the translation, and never handed on. */
function assertColumns(result: DuckDBResult, fields: readonly ColumnField[]): void {
  // Where only the number of rows matters there are no columns, for which SQL has no words.
  if (fields.length === 0 && result.columnCount === 1) return;
  if (result.columnCount !== fields.length)
    throw new Error(`DuckDB delivers ${result.columnCount} columns where the plan has ${fields.length}`);
  fields.forEach(({ name, type }, index) => {
    const given = String(result.columnTypeId(index));
    if (!(TYPE_IDS[type.kind] as readonly string[]).includes(given))
      throw new Error(
        `DuckDB delivers the column ${JSON.stringify(name)} as ${result.columnType(index).toString()} where the plan has ${type.kind}`,
      );
  });
}

/** The numbers by which DuckDB tells the types of columns. */
const TYPE_IDS: Readonly<Record<ColumnField["type"]["kind"], readonly string[]>> = {
  bool: ["1"],
  int8: ["2"],
  int16: ["3"],
  int32: ["4"],
  int64: ["5"],
  uint8: ["6"],
  uint16: ["7"],
  uint32: ["8"],
  uint64: ["9"],
  float32: ["10"],
  float64: ["11"],
  timestamp: ["12"],
  date: ["13"],
  time: ["14"],
  text: ["17"],
  json: ["17"],
  bytes: ["18"],
  decimal: ["19"],
  list: ["24"],
  struct: ["25"],
  uuid: ["27"],
  timestamptz: ["31"],
};
