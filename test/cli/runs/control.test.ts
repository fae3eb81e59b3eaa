import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { inputs } from "./control/inputs.ts";
import { interruptions } from "./control/interruptions.ts";
import { repairs } from "./control/repairs.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(() => server.stop());

for (const [title, stories] of [
  ["a load under way obeys", interruptions],
  ["what failed can be seen and corrected", repairs],
  ["what goes in and what comes out", inputs],
] as const) {
  describe(title, { concurrency: 3 }, () => {
    for (const [name, story] of Object.entries(stories)) it(name, () => story(server));
  });
}
