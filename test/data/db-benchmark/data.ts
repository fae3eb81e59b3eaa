import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/**
 * The tables of H2O.ai's db-benchmark, after its `groupby-datagen.R` and `join-datagen.R`, with numbers of DuckDB's `hash` in the place of R's
 * random ones. Its questions are asked of the same files in the engine's own SQL, which are the known answers.
 */
export class DbBenchmark implements AsyncDisposable {
  readonly #directory: string;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(directory: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#directory = directory;
    this.#instance = instance;
    this.#connection = connection;
  }

  static async make(rows: number): Promise<DbBenchmark> {
    const directory = await mkdtemp(join(tmpdir(), "pawl-db-benchmark-"));
    const instance = await DuckDBInstance.create(":memory:", { memory_limit: "1GB" });
    const made = new DbBenchmark(directory, instance, await instance.connect());
    for (const [name, select] of Object.entries(tables(rows))) {
      const path = made.file(name as TableName);
      await made.#connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet, COMPRESSION snappy)`);
      await made.#connection.run(`CREATE VIEW ${name} AS FROM read_parquet('${path}')`);
    }
    return made;
  }

  readonly file = (table: TableName): string => join(this.#directory, `${table}.parquet`);

  /** The answer in the engine's own SQL. */
  async rows(sql: string): Promise<{ columns: readonly string[]; rows: readonly (readonly unknown[])[] }> {
    const result = await this.#connection.runAndReadAll(sql);
    return { columns: result.columnNames(), rows: result.getRowsJson() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.closeSync();
    this.#instance.closeSync();
    await rm(this.#directory, { recursive: true });
  }
}

export type TableName = "x" | "big" | "medium" | "small";

/** How many different values the low-cardinality columns have. */
const FEW = 100;

function tables(rows: number): Record<TableName, string> {
  const drawn = (salt: number, below: number) => `(1 + hash(i, ${salt}) % ${below})::BIGINT`;
  const int = (salt: number, below: number) => `${drawn(salt, below)}::INTEGER`;
  const id = (salt: number, below: number, digits: number) =>
    `'id' || lpad(${drawn(salt, below)}::VARCHAR, ${digits}, '0')`;
  const value = (salt: number) => `round(((hash(i, ${salt}) % 100000000) / 1000000)::DOUBLE, 6)`;
  const many = Math.max(1, Math.floor(rows / FEW));
  // Half of the keys of one side have no partner on the other.
  const keys = (salt: number, below: number) => int(salt, Math.floor(below * 1.1));
  const [small, medium] = [Math.max(10, rows / 1e5), Math.max(100, rows / 1e3)];
  const x = `SELECT ${id(1, FEW, 3)} AS id1, ${id(2, FEW, 3)} AS id2, ${id(3, many, 10)} AS id3, ${int(4, FEW)} AS id4,
    ${int(5, FEW)} AS id5, ${int(6, many)} AS id6, ${int(7, 5)} AS v1, ${int(8, 15)} AS v2, ${value(9)} AS v3
    FROM range(${rows}) t(i)`;
  const big = `SELECT ${keys(11, small)} AS id1, ${keys(12, medium)} AS id2, i::INTEGER + 1 AS id3, 'id' || ${keys(11, small)} AS id4,
    'id' || ${keys(12, medium)} AS id5, 'id' || (i + 1) AS id6, ${value(13)} AS v1 FROM range(${rows}) t(i)`;
  return {
    x,
    big,
    medium: `SELECT ${keys(14, small)} AS id1, i::INTEGER + 1 AS id2, 'id' || (i + 1) AS id5, ${value(15)} AS v2
      FROM range(${medium}) t(i)`,
    small: `SELECT i::INTEGER + 1 AS id1, 'id' || (i + 1) AS id4, ${value(16)} AS v2 FROM range(${small}) t(i)`,
  };
}
