import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { subscribing } from "./seeing/subscribing.ts";
import type { OpenPlace } from "./suite/stage.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.start();
});
after(() => server.stop());

const drivers: Readonly<Record<string, OpenPlace>> = {
  SQLite: async () => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-seeing-"));
    return {
      address: join(folder, "state.db"),
      cleanup: () => rm(folder, { recursive: true, force: true }),
    };
  },
  PostgreSQL: async () => ({ address: await server.createDatabase(), cleanup: async () => {} }),
};

for (const [name, open] of Object.entries(drivers)) {
  describe(`subscriptions on ${name}`, () => subscribing(open));
}
