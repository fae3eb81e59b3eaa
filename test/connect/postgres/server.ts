import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startEmbedded, stopEmbedded } from "../../../src/connect/postgres/index.ts";

/** Settings for a server whose data nobody will miss. */
const careless = {
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "64MB",
  autovacuum: "off",
  max_wal_size: "1GB",
};

/** A throwaway server in a temporary folder. */
export class TestServer implements AsyncDisposable {
  readonly url: string;
  readonly directory: string;
  #databases = 0;

  private constructor(directory: string, url: string) {
    this.directory = directory;
    this.url = url;
  }

  static async start(settings: Readonly<Record<string, string>> = careless): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), "pawl-postgres-"));
    // Everyone may enter, because as root the server runs as somebody else.
    const home = join(directory, "server");
    await chmod(directory, 0o755);
    const { url } = await startEmbedded(home, { settings });
    return new TestServer(directory, url);
  }

  get home(): string {
    return join(this.directory, "server");
  }

  /** A new, empty database; returns its URL. */
  async createDatabase(): Promise<string> {
    const name = `test_${process.pid}_${++this.#databases}`;
    await using client = await TestClient.connect(this.url);
    await client.query(`CREATE DATABASE ${name}`);
    return databaseUrl(this.url, name);
  }

  async stop(): Promise<void> {
    await stopEmbedded(this.home, "immediate");
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A connection for looking and preparing. */
export class TestClient implements AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on("error", () => {});
  }

  static async connect(url: string): Promise<TestClient> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new TestClient(client);
  }

  /** The rows of the last statement. */
  async query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    const result = await (values === undefined ? this.#client.query(sql) : this.#client.query(sql, values));
    const last = (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult;
    return last.rows as Row[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
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
