import { after, before } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { tasksSuite } from "./suite.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.start();
});
after(async () => {
  await server.stop();
});

tasksSuite("PostgreSQL", async () => ({
  address: await server.createDatabase(),
  cleanup: async () => {},
}));
