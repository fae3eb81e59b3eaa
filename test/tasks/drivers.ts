import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { LentStores } from "../store/postgres/lent.ts";
import type { OpenPlace, Place } from "./suite/stage.ts";

/** Runs tests on each driver of the store. */
export function onEachDriver(
  what: string,
  tests: (open: OpenPlace, driver: "SQLite" | "PostgreSQL") => void,
): void {
  let server: TestServer;
  let stores: LentStores;
  before(async () => {
    server = await TestServer.shared();
    stores = new LentStores(server);
  });
  after(async () => {
    await stores.close();
    await server.stop();
  });
  describe(`${what} on SQLite`, () =>
    tests(async () => {
      const folder = await mkdtemp(join(tmpdir(), "pawl-tasks-"));
      return {
        address: join(folder, "state.db"),
        cleanup: () => rm(folder, { recursive: true, force: true }),
      };
    }, "SQLite"));
  describe(`${what} on PostgreSQL`, () => tests(() => lentPlace(stores), "PostgreSQL"));
}

/** A store in PostgreSQL, given back when the test has ended. */
export async function lentPlace(stores: LentStores): Promise<Place> {
  const { url, giveBack } = await stores.lend();
  return { address: url, cleanup: giveBack };
}
