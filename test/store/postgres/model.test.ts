import { after, before } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { modelSuite } from "../model-suite.ts";
import { openPlace } from "./place.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(async () => {
  await server.stop();
});

modelSuite("PostgreSQL", () => openPlace(server), { clocksJump: false, runs: 8 });
