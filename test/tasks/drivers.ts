import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import type { OpenPlace } from "./suite/stage.ts";

/** Runs tests on each driver of the store. */
export function onEachDriver(
  what: string,
  tests: (open: OpenPlace, driver: "SQLite" | "PostgreSQL") => void,
): void {
  let server: TestServer;
  before(async () => {
    server = await TestServer.shared();
  });
  after(() => server.stop());
  describe(`${what} on SQLite`, () =>
    tests(async () => {
      const folder = await mkdtemp(join(tmpdir(), "pawl-tasks-"));
      return {
        address: join(folder, "state.db"),
        cleanup: () => rm(folder, { recursive: true, force: true }),
      };
    }, "SQLite"));
  describe(`${what} on PostgreSQL`, () =>
    tests(async () => ({ address: await server.createDatabase(), cleanup: async () => {} }), "PostgreSQL"));
}
