import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startEmbedded, stopEmbedded } from "../../src/connect/postgres/index.ts";

/** What a contestant stores its tasks in. */
export type Kind = "sqlite" | "postgres" | "redis everysec" | "redis always";

/** A new, empty store, and the way to be rid of it. */
export interface Place extends AsyncDisposable {
  readonly address: string;
}

/** Makes empty stores of all kinds below one folder, on the same disk. */
export class Places implements AsyncDisposable {
  readonly #directory: string;
  #postgres: Promise<string> | undefined;
  #made = 0;

  constructor(parent: string) {
    this.#directory = mkdtempSync(join(parent, "pawl-bench-"));
    // The server may run under another account, which must be able to enter.
    chmodSync(this.#directory, 0o755);
  }

  async open(kind: Kind): Promise<Place> {
    const name = `place_${++this.#made}`;
    if (kind === "postgres") return await this.#database(name);
    const directory = join(this.#directory, name);
    mkdirSync(directory);
    const place =
      kind === "sqlite"
        ? { address: join(directory, "store.db"), end: async () => {} }
        : await startRedis(directory, kind === "redis always" ? "always" : "everysec");
    await rest();
    return {
      address: place.address,
      async [Symbol.asyncDispose]() {
        await place.end();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#postgres !== undefined) await stopEmbedded(join(this.#directory, "postgres"));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** In the embedded server, with the settings it has. */
  async #database(name: string): Promise<Place> {
    this.#postgres ??= startEmbedded(join(this.#directory, "postgres")).then(({ url }) => url);
    const server = await this.#postgres;
    const query = async (sql: string) => {
      const client = new pg.Client(server);
      await client.connect();
      try {
        await client.query(sql);
      } finally {
        await client.end();
      }
    };
    await query(`CREATE DATABASE ${name}`);
    await query("CHECKPOINT");
    await rest();
    const url = new URL(server);
    url.pathname = `/${name}`;
    return {
      address: url.href,
      [Symbol.asyncDispose]: () => query(`DROP DATABASE ${name} WITH (FORCE)`),
    };
  }
}

/** What was written before is on disk, so that the next measurement does not pay for it. */
async function rest(): Promise<void> {
  execFileSync("sync");
  await sleep(500);
}

/** With its append-only file; `everysec` may lose a second of what it has said it has, `always` nothing. */
async function startRedis(directory: string, fsync: "everysec" | "always") {
  const port = await freePort();
  const settings = {
    port,
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    appendonly: "yes",
    appendfsync: fsync,
  };
  const args = Object.entries({ ...settings, "maxmemory-policy": "noeviction" }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const server = spawn("redis-server", args, { stdio: "ignore" });
  await listening(port, server);
  const ended = new Promise((resolve) => server.once("exit", resolve));
  return {
    address: `redis://127.0.0.1:${port}`,
    async end() {
      server.kill();
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("There is no free port.");
  return address.port;
}

async function listening(port: number, server: ChildProcess): Promise<void> {
  while (server.exitCode === null) {
    try {
      execFileSync("redis-cli", ["-p", String(port), "ping"], { stdio: "ignore" });
      return;
    } catch {
      await sleep(20);
    }
  }
  throw new Error("redis-server has ended at once.");
}
