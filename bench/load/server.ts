import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startEmbedded, stopEmbedded } from "../../src/connect/postgres/index.ts";
import { measure } from "./measure.ts";

export const table = "people";

const work = "work";
const loaded = "loaded";
const columns = ["id", "email", "name", "city", "amount", "created_at", "active"];
const definition = `CREATE TABLE ${table} (id bigint PRIMARY KEY, email text NOT NULL, name text, city text,
  amount numeric(12,2), created_at timestamptz, active boolean)`;

/** Differs when rows are missing, doubled or have other amounts. */
export interface Fingerprint {
  readonly rows: number;
  readonly sum: string;
}

/** A throwaway PostgreSQL in which every case finds a database of its own. */
export class Server {
  readonly #directory: string;
  readonly #url: string;
  #hasLoaded = false;
  readonly #prepared = new Set<string>();

  private constructor(directory: string, url: string) {
    this.#directory = directory;
    this.#url = url;
  }

  static async start(directory: string): Promise<Server> {
    const { url } = await startEmbedded(directory);
    return new Server(directory, url);
  }

  stop(): Promise<void> {
    return stopEmbedded(this.#directory);
  }

  /** The URL of the database that `empty` or `full` has made last. */
  get url(): string {
    return this.#urlOf(work);
  }

  /** A new database with the keyed table and no rows. */
  async empty(): Promise<void> {
    await this.#renew(work, "template0");
    await this.query(definition);
  }

  /** A new database whose table holds the rows of the file; later calls copy what the first one loaded. */
  async full(file: string): Promise<void> {
    if (!this.#hasLoaded) {
      await this.#renew(loaded, "template0");
      await this.query(definition, loaded);
      await copyIn(this.#urlOf(loaded), table, file);
      await this.query(`VACUUM (FREEZE, ANALYZE) ${table}`, loaded);
      this.#hasLoaded = true;
    }
    await this.#renew(work, loaded);
  }

  /** A new database that these statements make; later calls copy what the first one made. */
  async prepared(name: string, statements: readonly string[]): Promise<void> {
    if (!this.#prepared.has(name)) {
      await this.#renew(name, "template0");
      for (const statement of statements) await this.query(statement, name);
      this.#prepared.add(name);
    }
    await this.#renew(work, name);
  }

  /** Gives the disk space of a prepared database back. */
  async forget(name: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, "postgres");
    this.#prepared.delete(name);
  }

  /** A table beside the keyed one that holds the rows of the file. Returns how long that took, in seconds. */
  async stage(file: string): Promise<number> {
    await this.query(`CREATE TABLE staging (LIKE ${table})`);
    const { seconds } = await copyIn(this.url, "staging", file);
    await this.query("VACUUM (FREEZE, ANALYZE) staging");
    return seconds;
  }

  /** Everything that was written is on disk, so that the next measurement does not pay for it. */
  async settle(): Promise<void> {
    await this.query("CHECKPOINT");
    execFileSync("sync");
    await sleep(1000);
  }

  async fingerprint(): Promise<Fingerprint> {
    const { rows } = await this.query(`SELECT count(*)::int AS rows, sum(amount) FROM ${table}`);
    return rows[0];
  }

  async query(sql: string, database = work): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: this.#urlOf(database) });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  async #renew(database: string, template: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`, "postgres");
    // Copies the files as they are, indexes included; much faster than writing the rows once more.
    await this.query(`CREATE DATABASE ${database} TEMPLATE ${template} STRATEGY file_copy`, "postgres");
  }

  #urlOf(database: string): string {
    const url = new URL(this.#url);
    url.pathname = `/${database}`;
    return url.href;
  }
}

/** psql's `\copy` over one connection. */
export function copyIn(url: string, into: string, file: string) {
  return psql(url, `\\copy ${into} FROM '${file}' WITH (FORMAT csv, HEADER true)`);
}

/** One statement for all staged rows. */
export function upsertStaged(url: string) {
  const assignments = columns.slice(1).map((column) => `${column} = excluded.${column}`);
  return psql(
    url,
    `INSERT INTO ${table} SELECT * FROM staging ON CONFLICT (id) DO UPDATE SET ${assignments.join(", ")}`,
  );
}

function psql(url: string, command: string) {
  return measure("psql", [url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command]);
}
