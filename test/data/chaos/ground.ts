import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { date, type Frame, float64, int32, int64, lit, readParquet, text } from "../../../src/data/index.ts";

export const columns = {
  id: int64(),
  user: int32(),
  day: date(),
  amount: float64(),
  part: int32(),
  note: text(),
};

/** Where the disturbed frames read and write, and a look at it with the engine alone, which knows nothing of how Pawl publishes. */
export class Ground implements AsyncDisposable {
  readonly folder: string;
  readonly rows: number;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(folder: string, rows: number, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.folder = folder;
    this.rows = rows;
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(rows: number): Promise<Ground> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-chaos-frames-"));
    const instance = await DuckDBInstance.create(":memory:", { memory_limit: "500MB" });
    const ground = new Ground(folder, rows, instance, await instance.connect());
    // It would mix pieces of files that stood at one path one after the other.
    await ground.query("SET enable_external_file_cache = false");
    await ground.query(`COPY (SELECT i AS id, (hash(i) % 1000)::INTEGER AS user, DATE '2024-01-01' + (i % 366)::INTEGER AS day,
      (hash(i, 1) % 100000) / 100 AS amount, (i % 7)::INTEGER AS part, 'note ' || md5(i::VARCHAR) AS note FROM range(${rows}) t(i))
      TO '${ground.source}' (FORMAT parquet, ROW_GROUP_SIZE 20000)`);
    await ground.query(`COPY (FROM '${ground.source}') TO '${ground.csv}' (FORMAT csv, HEADER)`);
    return ground;
  }

  /** A Parquet file of all rows; `id` runs from 0. */
  get source(): string {
    return join(this.folder, "source.parquet");
  }

  /** The same rows as CSV. */
  get csv(): string {
    return join(this.folder, "source.csv");
  }

  /** All rows with the number of a generation beside them. */
  generation(number: number): Frame<typeof columns & { generation: ReturnType<typeof int64> }> {
    return generationOf(this.source, number);
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#connection.runAndReadAll(sql)).getRowObjectsJS() as Record<string, unknown>[];
  }

  /** A new folder that holds nothing. */
  async empty(name: string): Promise<string> {
    const folder = join(this.folder, name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.closeSync();
    this.#instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function generationOf(source: string, number: number) {
  return readParquet(source, columns).with(() => ({ generation: lit(BigInt(number)) }));
}

/** What stands beside a target and in it that is not part of it. */
export async function leftovers(target: string): Promise<readonly string[]> {
  const beside = await readdir(dirname(target), { recursive: true });
  return beside.filter((name) => name.split("/").some((part) => part.startsWith(".")));
}
