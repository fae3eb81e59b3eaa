import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultyLink } from "../../store/postgres/faulty-link.ts";
import type { Server } from "../server.ts";
import { ClockFile } from "./clock.ts";
import type { Driver } from "./plan.ts";

/** A store to play with, and what can be done to it. */
export interface Arena {
  readonly driver: Driver;
  /** Undisturbed. */
  readonly address: string;
  /** The clock that all processes share; null where each has its own. */
  readonly clock: ClockFile | null;
  /** The way to the store for one process, and what stands in between. */
  way(): Promise<{ readonly address: string; readonly link: FaultyLink | null }>;
  /** No process can write for a while. */
  block(lastsMs: number): Promise<void>;
  close(): Promise<void>;
}

export function openSqliteArena(folder: string): Arena {
  mkdirSync(folder, { recursive: true });
  const address = join(folder, "store.db");
  return {
    driver: "sqlite",
    address,
    clock: new ClockFile(join(folder, "machine.clock")),
    way: () => Promise.resolve({ address, link: null }),
    async block(lastsMs) {
      const other = new DatabaseSync(address, { timeout: 5 });
      try {
        // The process that holds the lock may be stopped, and waits for us to let it continue.
        while (!locks(other)) await sleep(5);
        await sleep(lastsMs);
      } finally {
        other.close();
      }
    },
    close: () => Promise.resolve(),
  };
}

function locks(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN IMMEDIATE");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}

const SQLITE_BUSY = 5;

/** A database of its own on a server that is stopped and started. */
export async function openPostgresArena(server: Server, name: string): Promise<Arena> {
  await server.with("postgres", (client) => client.query(`CREATE DATABASE ${name}`));
  const address = server.url(name);
  const links: FaultyLink[] = [];
  return {
    driver: "postgres",
    address,
    clock: null,
    async way() {
      const { proxy, url } = await FaultyLink.before(address);
      links.push(proxy);
      return { address: url, link: proxy };
    },
    async block(lastsMs) {
      await server.stop("immediate");
      await sleep(lastsMs);
      await server.start();
    },
    async close() {
      for (const link of links) await link[Symbol.asyncDispose]();
    },
  };
}
