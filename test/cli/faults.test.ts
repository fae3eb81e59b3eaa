import { after, before, describe, it } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { type Case, play } from "./faults/case.ts";
import { commands } from "./faults/commands.ts";
import { files, rows } from "./faults/files.ts";
import { fullDisks, mayMount, outages } from "./faults/outages.ts";
import { stories } from "./faults/stories.ts";
import { targets } from "./faults/targets.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.shared();
});
after(() => server.stop());

const groups: readonly (readonly [string, readonly Case[]])[] = [
  ["one sentence says what is wrong with the input", files],
  ["a bad row is kept with its reason and the others are loaded", rows],
  ["one sentence says what is wrong with the command", commands],
  ["one sentence says what is wrong with the target", targets],
];

for (const [title, cases] of groups) {
  describe(title, { concurrency: 3 }, () => {
    for (const one of cases) it(one.name, () => play(one, server));
  });
}

describe("trouble on the way loses nothing", { concurrency: 3 }, () => {
  for (const [name, story] of Object.entries({ ...stories, ...outages })) it(name, () => story(server));
  for (const [name, story] of Object.entries(fullDisks))
    it(name, { skip: mayMount ? false : "only root may mount a small disk" }, () => story(server));
});
