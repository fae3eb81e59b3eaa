import { after, before } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { storeConformance } from "../conformance.ts";
import { openPlace } from "./place.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(async () => {
  await server.stop();
});

storeConformance("PostgreSQL", () => openPlace(server));
