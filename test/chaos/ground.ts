import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type pg from "pg";
import { Loader, type LoaderAim } from "./loader.ts";
import { expect } from "./mismatch.ts";
import type { Summary } from "./result.ts";
import { PASSWORD, type Server } from "./server.ts";
import { effectsBegun, ROLE } from "./target.ts";

/** What the loaders are told; short, so that a scenario need not wait long for a lease to run out. */
export const LEASE_MS = 1000;

/** Where a scenario is played, whatever its work: its folder, its database with an audit table, and its store. */
export class Ground {
  readonly server: Server;
  readonly database: string;
  readonly folder: string;
  readonly store: string;
  readonly #leastEffects: number;
  readonly #loaders: Loader[] = [];
  #watching: pg.Client | null = null;

  constructor(place: {
    readonly server: Server;
    readonly database: string;
    readonly folder: string;
    /** How many effects the work has at least. */
    readonly leastEffects: number;
  }) {
    this.server = place.server;
    this.database = place.database;
    this.folder = place.folder;
    this.store = join(place.folder, "state", "store.db");
    this.#leastEffects = place.leastEffects;
  }

  get loaders(): readonly Loader[] {
    return this.#loaders;
  }

  /** Starts any command of Pawl on this stage. */
  pawl(argv: readonly string[], aim: LoaderAim | null = null): Loader {
    const name = `${argv[0]}-${this.#loaders.length + 1}`;
    const env = {
      PAWL_STORE: this.store,
      PAWL_LEASE_MS: String(LEASE_MS),
      // A replay takes the URL from the store, which has no password.
      PGPASSWORD: PASSWORD,
    };
    const loader = new Loader(name, this.folder, argv, env, aim);
    this.#loaders.push(loader);
    return loader;
  }

  /** What a command prints that must not fail. */
  async printed(argv: readonly string[]): Promise<Buffer> {
    const { code, stdout, stderr } = await this.pawl(argv).end();
    expect(code === 0, () => `pawl ${argv.join(" ")} ended with exit code ${code}: ${stderr}`);
    return stdout;
  }

  /** All runs that the store knows, the newest first. */
  async runs(): Promise<Summary[]> {
    return JSON.parse((await this.printed(["status", "--json"])).toString());
  }

  /** The run of the command, if it has come to its end; only worth asking once nearly all effects were begun. */
  async finishedRun(): Promise<Summary | null> {
    if ((await this.progress()) < 0.9) return null;
    return (await this.runs()).find(({ state }) => state === "succeeded") ?? null;
  }

  /** How far the loads are, from 0 to 1 and beyond, work that is not committed included; 0 while the server is away. */
  async progress(): Promise<number> {
    try {
      this.#watching ??= await this.server.connect(this.database);
      const begun = await effectsBegun(this.#watching);
      return this.#leastEffects === 0 ? 1 : begun / this.#leastEffects;
    } catch {
      await this.#stopWatching();
      return 0;
    }
  }

  async #stopWatching(): Promise<void> {
    const client = this.#watching;
    this.#watching = null;
    await client?.end().catch(() => {});
  }

  /** Ends all connections of all loaders, from the side of the server. */
  async endBackends(): Promise<void> {
    await this.server.with(this.database, (client) =>
      client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = $1",
        [ROLE],
      ),
    );
  }

  /** How many effects of a loader are committed. */
  async committedBy(loader: Loader): Promise<number> {
    return await this.server.with(this.database, async (client) => {
      const { rows } = await client.query("select count(*)::int as n from audit where loader = $1", [
        loader.name,
      ]);
      return rows[0].n;
    });
  }

  /** Whether the store says that this process is at work; looked at from the side, so that nothing is changed. */
  holdsLease(loader: Loader): boolean {
    if (!existsSync(this.store)) return false;
    const store = new DatabaseSync(this.store, { readOnly: true });
    try {
      const leased = store.prepare("select worker from task where state = 'leased'").all();
      return leased.some(({ worker }) => String(worker).split(":")[1] === String(loader.pid));
    } catch {
      return false;
    } finally {
      store.close();
    }
  }

  /** Ends what may still run, however the scenario ended. */
  async close(): Promise<void> {
    for (const loader of this.#loaders.filter(({ alive }) => alive)) {
      loader.signal("SIGKILL");
      await loader.ended;
    }
    await this.#stopWatching();
  }
}
