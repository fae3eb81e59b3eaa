import { test } from "node:test";
import { TestClient, TestServer } from "../../server.ts";
import { differ, prelude } from "./differential.ts";

test("random rows end in random tables as if they were written one by one", async () => {
  await using server = await TestServer.shared();
  const url = await server.createDatabase();
  await using client = await TestClient.connect(url);
  await client.query(prelude);
  // All kinds of keys come in them.
  for (const seed of [1, 2, 3, 4, 6, 9, 12, 14, 17, 20, 24, 28, 29]) await differ(seed, url, client);
});
