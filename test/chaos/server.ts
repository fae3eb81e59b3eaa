import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { findBinaries } from "../../src/connect/postgres/embedded/binaries.ts";

/** Who PostgreSQL runs as when we are root, which it refuses to be. */
const NOBODY = 65534;
const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : null;
const as = account ?? {};

/** Must never be seen in what Pawl prints or keeps. */
export const PASSWORD = "chaos-Secret-7351";

/** A real PostgreSQL that may be stopped as by a power cut, and started again on the same port. */
export class Server {
  readonly #binaries: { initdb: string; postgres: string };
  readonly #directory: string;
  readonly #connections: number;
  readonly port: number;
  #process: ChildProcess | null = null;

  private constructor(
    binaries: { initdb: string; postgres: string },
    directory: string,
    connections: number,
    port: number,
  ) {
    this.#binaries = binaries;
    this.#directory = directory;
    this.#connections = connections;
    this.port = port;
  }

  /** Initialises a cluster in `directory`, which must not exist yet, and starts it. */
  static async create(directory: string, connections = 60): Promise<Server> {
    // In a checkout that this account may not enter, they are those of the cache.
    const binaries = await findBinaries(account);
    const server = new Server(binaries, directory, connections, await freePort());
    mkdirSync(directory, { mode: 0o700 });
    const passwordFile = `${directory}.password`;
    writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
    for (const path of "uid" in as ? [directory, passwordFile] : []) chownSync(path, NOBODY, NOBODY);
    const initdb = spawn(
      binaries.initdb,
      ["-D", directory, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"].concat(
        `--pwfile=${passwordFile}`,
      ),
      { ...as, stdio: ["ignore", "ignore", "inherit"] },
    );
    const [code] = await once(initdb, "exit");
    if (code !== 0) throw new Error(`initdb ended with exit code ${code}`);
    // However this process ends.
    process.once("exit", () => server.#process?.kill("SIGQUIT"));
    await server.start();
    return server;
  }

  url(database: string, user = "postgres"): string {
    return `postgres://${user}:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  async start(): Promise<void> {
    const log = openSync(`${this.#directory}.log`, "a");
    const settings = [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "fsync=on",
      "synchronous_commit=on",
      `max_connections=${this.#connections}`,
      "shared_buffers=64MB",
    ].flatMap((setting) => ["-c", setting]);
    this.#process = spawn(
      this.#binaries.postgres,
      ["-D", this.#directory, "-p", String(this.port), ...settings],
      { ...as, stdio: ["ignore", log, log], detached: true },
    );
    const started = Date.now();
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null)
        throw new Error(`PostgreSQL did not start: ${this.#directory}.log`);
      if (Date.now() - started > 60_000) throw new Error("PostgreSQL did not start within a minute");
      await sleep(20);
    }
  }

  /** `immediate`: as by a power cut, so that the next start recovers from the log. `fast`: connections are ended. */
  async stop(mode: "immediate" | "fast"): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (!running || running.exitCode !== null) return;
    const ended = once(running, "exit");
    running.kill(mode === "immediate" ? "SIGQUIT" : "SIGINT");
    await ended;
  }

  /** A connection of the harness itself, which must be ended by the caller. */
  async connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(database), application_name: "chaos" });
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  async with<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.connect(database);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  #answers(): Promise<boolean> {
    return this.with("postgres", () => Promise.resolve(true)).catch(() => false);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
