import { after, before, describe } from "node:test";
import { TestServer } from "../../test/connect/postgres/server.ts";
import { reports } from "./stories.ts";

describe("reports on PostgreSQL", () => {
  let server: TestServer;
  before(async () => {
    server = await TestServer.shared();
  });
  after(() => server.stop());

  reports(() => server.url);
});
