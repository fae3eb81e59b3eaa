import type { DuckDBConnection, DuckDBType, DuckDBVector } from "@duckdb/node-api";
import { type ColumnField, isFloat, isInteger, type Kind } from "../../schema/column-type.ts";
import type { Batch, BatchColumn } from "../contract.ts";
import { loadDuckdb } from "./open.ts";
import { quoteName } from "./quote.ts";
import { duckdbType } from "./types.ts";

/** Rows of a chunk: what DuckDB's vectors hold. */
const CHUNK_ROWS = 2048;

/** Kinds whose values go into a vector as they are; those of all others go as text, and are cast when they are read. */
const DIRECT: ReadonlySet<Kind> = new Set(["bool", "text", "bytes"]);

/**
 * A temporary table of DuckDB that a program fills batch by batch. Numbers are typed arrays or arrays of numbers, `bool` is numbers 0
 * and 1 or booleans, days, moments, decimals and UUIDs are texts, JSON, lists and structs are any JSON; a null is a null of the array or
 * a 0 in `valid`.
 */
export class AppendedTable {
  readonly #fields: readonly ColumnField[];
  readonly #name: string;
  readonly #appender: Awaited<ReturnType<DuckDBConnection["createAppender"]>>;
  readonly #types: readonly DuckDBType[];
  readonly #duckdb: typeof import("@duckdb/node-api");
  #rows = 0;

  private constructor(
    duckdb: typeof import("@duckdb/node-api"),
    fields: readonly ColumnField[],
    name: string,
    appender: Awaited<ReturnType<DuckDBConnection["createAppender"]>>,
  ) {
    this.#duckdb = duckdb;
    this.#fields = fields;
    this.#name = name;
    this.#appender = appender;
    this.#types = fields.map((_, index) => appender.columnType(index));
  }

  /** Makes the table, which lasts as long as the connection. */
  static async create(
    connection: DuckDBConnection,
    name: string,
    fields: readonly ColumnField[],
  ): Promise<AppendedTable> {
    const columns = fields.map(
      ({ type }, index) => `c${index} ${isDirect(type.kind) ? duckdbType(type) : "VARCHAR"}`,
    );
    await connection.run(`CREATE TEMP TABLE ${quoteName(name)} (${columns.join(", ")})`);
    return new AppendedTable(
      await loadDuckdb(),
      fields,
      name,
      await connection.createAppender(name, null, "temp"),
    );
  }

  /** Rows appended so far. */
  get rows(): number {
    return this.#rows;
  }

  /** The columns as expressions in SQL, under their names and of their types. */
  get columns(): readonly string[] {
    return this.#fields.map(({ name, type }, index) => {
      const column = `${quoteName(this.#name)}.c${index}`;
      const value = isDirect(type.kind) ? column : castFromText(column, type.kind, duckdbType(type));
      return `${value} AS ${quoteName(name)}`;
    });
  }

  /** Appends the rows of a batch. */
  append({ rows, columns }: Batch): void {
    for (let from = 0; from < rows; from += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows - from);
      const chunk = this.#duckdb.DuckDBDataChunk.create([...this.#types], count);
      for (const [index, column] of columns.entries())
        fill(
          chunk.getColumnVector(index),
          column,
          (this.#fields[index] as ColumnField).type.kind,
          from,
          count,
        );
      this.#appender.appendDataChunk(chunk);
    }
    this.#rows += rows;
  }

  /** Ends the appending: the table has all rows then. */
  close(): void {
    this.#appender.flushSync();
    this.#appender.closeSync();
  }
}

function isDirect(kind: Kind): boolean {
  return isInteger(kind) || isFloat(kind) || DIRECT.has(kind);
}

function castFromText(column: string, kind: Kind, type: string): string {
  if (kind === "list" || kind === "struct") return `CAST(CAST(${column} AS JSON) AS ${type})`;
  return `CAST(${column} AS ${type})`;
}

/** What the vectors of numbers have besides the methods of all: their memory as a typed array. */
interface NumberVector {
  readonly items: { set(values: ArrayLike<unknown>, offset?: number): void };
}

type Settable = DuckDBVector & { setItem(index: number, value: unknown): void };

function fill(
  vector: DuckDBVector,
  { values, valid }: BatchColumn,
  kind: Kind,
  from: number,
  count: number,
): void {
  const settable = vector as Settable;
  if (ArrayBuffer.isView(values) && "items" in vector && kind !== "bool") {
    const part = (values as Float64Array).subarray(from, from + count);
    (vector as unknown as NumberVector).items.set(part);
    if (valid !== null)
      for (let row = 0; row < count; row++) if (valid[from + row] === 0) settable.setItem(row, null);
  } else {
    const given = values as ArrayLike<unknown>;
    for (let row = 0; row < count; row++) {
      const value = given[from + row] ?? null;
      settable.setItem(row, value === null || valid?.[from + row] === 0 ? null : appended(value, kind));
    }
  }
  vector.flush();
}

function appended(value: unknown, kind: Kind): unknown {
  if (kind === "bool") return value === true || value === 1;
  // Only the bytes of DuckDB's own class of values are looked at.
  if (kind === "bytes") return { bytes: value };
  if (kind === "json" || kind === "list" || kind === "struct") return JSON.stringify(value);
  return isDirect(kind) ? value : String(value);
}
