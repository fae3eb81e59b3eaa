import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, type Job, type RunSummary, run } from "../../../src/batch/index.ts";
import { openStore, type Store } from "../../../src/store/index.ts";
import { TestClient, TestServer } from "./server.ts";

/** A server, a store, and a database for each test that asks for one; who closes its client gives the database back. */
export class TableScene implements AsyncDisposable {
  readonly server: TestServer;
  readonly folder: string;
  readonly store: Store;
  #jobs = 0;

  private constructor(server: TestServer, folder: string, store: Store) {
    this.server = server;
    this.folder = folder;
    this.store = store;
  }

  static async begin(): Promise<TableScene> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-table-"));
    const store = await openStore(join(folder, "store.db"));
    return new TableScene(await TestServer.shared(), folder, store);
  }

  /** A database prepared by `sql`. */
  async database(sql: string): Promise<{ url: string; client: TestClient }> {
    const url = await this.server.createDatabase();
    const client = await TestClient.connect(url, () => this.server.giveBack(url));
    await client.query(sql);
    return { url, client };
  }

  async run<T, U>(job: Omit<Job<T, U>, "name"> & { name?: string }): Promise<RunSummary> {
    const named = { name: `job ${++this.#jobs}`, shards: 2, ...job };
    return await run(defineJob<T, U>(named), { store: this.store }).summary();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
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
