import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startEmbedded, stopEmbedded } from "../../../src/connect/postgres/index.ts";

/** Settings for a server whose data may be lost. */
export const careless = {
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "64MB",
  autovacuum: "off",
  max_wal_size: "1GB",
  // Ten times what five files at once have been seen to hold.
  max_connections: "1000",
};

/**
 * A PostgreSQL for tests. `shared()` is the rule: databases and roles of one's own on a server that all files of a run use.
 * `start()` is for tests that stop the server, change its settings, or look at all of its sessions.
 */
export class TestServer implements AsyncDisposable {
  /** A database that no other file uses. */
  readonly url: string;
  readonly #home: string;
  /** What goes with it; null where the server is everybody's. */
  readonly #directory: string | null;
  /** Part of all names that this one gives: other files name things on the same server. */
  readonly #mark: string;
  readonly #databases: string[] = [];
  /** The URLs of databases that were given back. */
  readonly #empty: string[] = [];
  readonly #roles: string[] = [];

  private constructor(url: string, home: string, directory: string | null, mark: string) {
    this.url = url;
    this.#home = home;
    this.#directory = directory;
    this.#mark = mark;
  }

  /** The server that all files of a run share; one of its own for a file that is run by itself. */
  static async shared(): Promise<TestServer> {
    const home = process.env.PAWL_TEST_POSTGRES;
    if (home === undefined) return await TestServer.start();
    const { url } = await startEmbedded(home, { settings: careless });
    const mark = randomBytes(4).toString("hex");
    const name = `test_${mark}`;
    await using client = await TestClient.connect(url);
    await createDatabase(client, name);
    const server = new TestServer(databaseUrl(url, name), home, null, mark);
    server.#databases.push(name);
    return server;
  }

  /** A throwaway server in a temporary folder, for one file alone. */
  static async start(settings: Readonly<Record<string, string>> = careless): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), "pawl-postgres-"));
    // Everyone may enter, because as root the server runs as another user.
    const home = join(directory, "server");
    await chmod(directory, 0o755);
    const { url } = await startEmbedded(home, { settings });
    return new TestServer(url, home, directory, `${process.pid}`);
  }

  /** The folder of the server, for a test that stops it or looks into it. */
  get home(): string {
    if (this.#directory === null)
      throw new Error("Other files use this server: TestServer.start() gives one of its own.");
    return this.#home;
  }

  /** An empty database; returns its URL. */
  async createDatabase(): Promise<string> {
    const empty = this.#empty.pop();
    if (empty !== undefined) return empty;
    const name = `test_${this.#mark}_${this.#databases.length + 1}`;
    this.#databases.push(name);
    await using client = await TestClient.connect(this.url);
    await createDatabase(client, name);
    return databaseUrl(this.url, name);
  }

  /** Ends what is connected to a database still, and empties it for the next that asks: a new one costs ten times as much. */
  async giveBack(url: string): Promise<void> {
    await using client = await TestClient.connect(url);
    await client.endOthers();
    // What a test has put into the search path is not called.
    await client.query("SET search_path = pg_catalog");
    await client.query(EMPTY);
    this.#empty.push(url);
  }

  /** A name for a role, which all databases of a server see. The role goes with the databases. */
  roleName(name: string): string {
    const role = `${name}_${this.#mark}`;
    this.#roles.push(role);
    return role;
  }

  async stop(): Promise<void> {
    if (this.#directory !== null) {
      await stopEmbedded(this.#home, "immediate");
      await rm(this.#directory, { recursive: true, force: true });
      return;
    }
    await using client = await TestClient.connect(databaseUrl(this.url, "postgres"));
    for (const name of this.#databases) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    for (const role of this.#roles) await client.query(`DROP ROLE IF EXISTS ${role}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Leaves of a database what a new one has. */
const EMPTY = `
  DO $$
  DECLARE
    found record;
  BEGIN
    FOR found IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
      EXECUTE format('DROP SCHEMA %I CASCADE', found.nspname);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
  END $$`;

/** Copies files, which costs half of what it does to log every page, where the log is not needed. */
async function createDatabase(client: TestClient, name: string): Promise<void> {
  await client.query(`CREATE DATABASE ${name} STRATEGY file_copy`);
}

/** A connection for looking and preparing. */
export class TestClient implements AsyncDisposable {
  readonly #client: pg.Client;
  readonly #after: (() => Promise<void>) | undefined;

  private constructor(client: pg.Client, after: (() => Promise<void>) | undefined) {
    this.#client = client;
    this.#after = after;
    client.on("error", () => {});
  }

  /** `after` is called when it has been closed. */
  static async connect(url: string, after?: () => Promise<void>): Promise<TestClient> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new TestClient(client, after);
  }

  /** The rows of the last statement. */
  async query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    const result = await (values === undefined ? this.#client.query(sql) : this.#client.query(sql, values));
    const last = (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult;
    return last.rows as Row[];
  }

  /** Ends all other sessions of this database, such as those of processes that were killed. */
  async endOthers(): Promise<void> {
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;
    while ((await this.query(end)).length > 0) await sleep(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
    await this.#after?.();
  }
}

/** The same server, another database, and perhaps another user. */
export function databaseUrl(url: string, database: string, user?: string, password?: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  if (user !== undefined) other.username = user;
  if (password !== undefined) other.password = password;
  return other.href;
}
