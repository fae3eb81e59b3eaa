import { after, before, describe } from "node:test";
import { TestServer } from "../../test/connect/postgres/server.ts";
import { pipeline } from "./stories.ts";

describe("the nightly pipeline on PostgreSQL", () => {
  let server: TestServer;
  before(async () => {
    server = await TestServer.shared();
  });
  after(() => server.stop());

  pipeline(() => server.url);
});
