import { after, before, describe } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { skipWithout } from "../../missing.ts";
import { storeConformance } from "../conformance.ts";
import { LentStores } from "./lent.ts";
import { byTestClock, openPlace } from "./open-temporary.ts";
import { findPgbouncer, Pgbouncer } from "./pgbouncer.ts";

const program = findPgbouncer();
const skip = skipWithout(
  "pgbouncer",
  program === undefined ? "no pgbouncer is on this machine's path, nor named by PAWL_PGBOUNCER" : null,
);

describe("PgBouncer", { skip }, () => {
  let server: TestServer;
  let stores: LentStores;
  let bouncer: Pgbouncer;
  before(async () => {
    server = await TestServer.shared();
    stores = new LentStores(server, byTestClock);
    bouncer = await Pgbouncer.start(program ?? "", server.url);
  });
  after(async () => {
    await bouncer[Symbol.asyncDispose]();
    await stores.close();
    await server.stop();
  });
  storeConformance("PostgreSQL behind PgBouncer", () => openPlace(stores, (url) => bouncer.before(url)));
});
