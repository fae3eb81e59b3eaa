import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { spreads } from "./take-part/stories.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(() => server.stop());

describe("a run that is spread over workers", () => {
  for (const store of ["SQLite", "PostgreSQL"] as const)
    for (const [name, story] of Object.entries(spreads))
      it(`${name}, in ${store}`, () => story(server, store));
});
