import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { leavesOthersAlone, type StoreKind, spreads } from "./take-part/stories.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(() => server.stop());

/** Each story in one store; spread.long.ts tells it in the other. */
const stores: Readonly<Record<keyof typeof spreads, StoreKind>> = {
  "goes on when any of them is killed, the one that began it included": "PostgreSQL",
  "is left by a worker that is stopped, which costs nothing": "SQLite",
};

describe("a run that is spread over workers", () => {
  for (const name of Object.keys(spreads) as (keyof typeof spreads)[])
    it(`${name}, in ${stores[name]}`, () => spreads[name](server, stores[name]));
});

describe("a worker with a job", () => {
  it("leaves runs of other jobs alone, and says why it cannot take part", () => leavesOthersAlone(server));
});
