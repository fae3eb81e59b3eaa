import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before } from "node:test";
import { defineJob, type Job, type RunSummary, run } from "../../../src/batch/index.ts";
import { csv } from "../../../src/connect/csv/index.ts";
import {
  type PostgresOptions,
  postgres,
  type TableRow,
  table,
  type UpdateOptions,
  update,
} from "../../../src/connect/postgres/index.ts";
import { openStore, type Store } from "../../../src/store/index.ts";
import { TestClient, TestServer } from "./server.ts";

/** A database of the server that all files share, and a client of it. */
export interface TestDatabase {
  readonly url: string;
  readonly client: TestClient;
  readonly server: TestServer;
}

/** One database for all tests of a file or `describe`, which `prepare` fills before the first of them. */
export function useDatabase(prepare: (db: TestDatabase) => Promise<unknown> = async () => {}): TestDatabase {
  let made: TestDatabase | undefined;
  before(async () => {
    const server = await TestServer.shared();
    const url = await server.createDatabase();
    made = { server, url, client: await TestClient.connect(url) };
    await prepare(made);
  });
  after(async () => {
    await made?.client[Symbol.asyncDispose]();
    await made?.server.stop();
  });
  return {
    get server() {
      return begun(made).server;
    },
    get url() {
      return begun(made).url;
    },
    get client() {
      return begun(made).client;
    },
  };
}

function begun<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("No test has begun yet.");
  return value;
}

/** A server, a store and a folder for the tests of a file or `describe`, and databases for each of them. */
export class TableScene {
  #parts: { readonly server: TestServer; readonly folder: string; readonly store: Store } | undefined;
  readonly #clients: TestClient[] = [];
  #jobs = 0;
  #files = 0;

  private constructor() {}

  /** Begins before the tests, and takes back after each of them the databases that it has asked for. */
  static use(): TableScene {
    const scene = new TableScene();
    before(() => scene.#begin());
    afterEach(() => scene.#takeBack());
    after(() => scene.#end());
    return scene;
  }

  get server(): TestServer {
    return begun(this.#parts).server;
  }

  get folder(): string {
    return begun(this.#parts).folder;
  }

  get store(): Store {
    return begun(this.#parts).store;
  }

  /** A database prepared by `sql`, until the end of the test. */
  async database(sql = ""): Promise<{ readonly url: string; readonly client: TestClient }> {
    const { server } = this;
    const url = await server.createDatabase();
    const client = await TestClient.connect(url, () => server.giveBack(url));
    this.#clients.push(client);
    await client.query(sql);
    return { url, client };
  }

  /** The path of a new file with this text. */
  async file(text: string): Promise<string> {
    const path = join(this.folder, `f${++this.#files}.csv`);
    await writeFile(path, text);
    return path;
  }

  async run<T, U>(job: Omit<Job<T, U>, "name"> & { name?: string }): Promise<RunSummary> {
    const named = { name: `job ${++this.#jobs}`, shards: 2, ...job };
    return await run(defineJob<T, U>(named), { store: this.store }).summary();
  }

  /** Loads the text of a CSV, or files, into the table `t`. */
  async load(
    url: string,
    rows: string | { readonly paths: string | readonly string[] },
    options: Partial<PostgresOptions> = {},
    job: Partial<Job<TableRow, unknown>> = {},
  ): Promise<RunSummary> {
    const source = csv(typeof rows === "string" ? await this.file(rows) : rows.paths);
    return await this.run({ source, sink: postgres({ url, table: "t", ...options }), ...job } as never);
  }

  /** Changes the rows of the table `t` of which the job's source says which: by default all, where they are. */
  async change(
    url: string,
    options: Partial<UpdateOptions> = {},
    job: Partial<Job<TableRow, unknown>> = {},
  ): Promise<RunSummary> {
    const target = { url, table: "t", ...options };
    const { set: _, ...source } = target;
    return await this.run({ source: table(source), sink: update(target), ...job } as never);
  }

  async #begin(): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-table-"));
    const store = await openStore(join(folder, "store.db"));
    this.#parts = { server: await TestServer.shared(), folder, store };
  }

  async #takeBack(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client[Symbol.asyncDispose]();
  }

  async #end(): Promise<void> {
    await this.store.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** How a run ended: its state, and how many rows were read, written, unchanged, skipped and quarantined. */
export function resultOf({
  state,
  read,
  written,
  unchanged,
  skipped,
  quarantined,
}: RunSummary): readonly unknown[] {
  return [state, read, written, unchanged, skipped, quarantined];
}

/** Writes each change of a row of `tickets` down, so that one that is made twice shows. */
export const audit = `
  CREATE TABLE audit (op text, id text);
  CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO audit VALUES (tg_op, coalesce(new.id, old.id)::text);
    RETURN NULL;
  END $$;
  CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON tickets
    FOR EACH ROW EXECUTE FUNCTION note_change();`;

/** How often rows were changed: `{ once: 1000 }` when all is well. */
export async function changes(client: TestClient): Promise<Record<string, number>> {
  const [row] = await client.query<{ rows: number; changes: number; most: number }>(
    `SELECT count(*)::int AS rows, coalesce(sum(n), 0)::int AS changes, coalesce(max(n), 0)::int AS most
     FROM (SELECT id, count(*) AS n FROM audit GROUP BY id) each`,
  );
  if (row === undefined) throw new Error("no answer");
  return row.most <= 1 ? { once: row.rows } : { ...row };
}
