import { test } from "node:test";
import { differ, prelude } from "./differential.ts";
import { TestClient, TestServer } from "./server.ts";

test("random rows end in random tables as if they were written one by one", async () => {
  await using server = await TestServer.start();
  const url = await server.createDatabase();
  await using client = await TestClient.connect(url);
  await client.query(prelude);
  for (let seed = 1; seed <= 30; seed++) await differ(seed, url, client);
});
