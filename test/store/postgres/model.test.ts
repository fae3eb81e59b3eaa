import { after, before } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { modelSuite } from "../model/suite.ts";
import { LentStores } from "./lent.ts";
import { byTestClock, openPlace } from "./open-temporary.ts";

let server: TestServer;
let stores: LentStores;
before(async () => {
  server = await TestServer.shared();
  stores = new LentStores(server, byTestClock);
});
after(async () => {
  await stores.close();
  await server.stop();
});

modelSuite("PostgreSQL", () => openPlace(stores), { clocksJump: false, runs: 8 });
