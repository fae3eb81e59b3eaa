import { test } from "node:test";
import { TestClient, TestServer } from "../../server.ts";
import { differ, prelude } from "./differential.ts";

const first = Number(process.env.PAWL_SEED ?? Date.now() % 1_000_000_000);
const seconds = Number(process.env.PAWL_SECONDS ?? 300);

test("random rows end in random tables as if they were written one by one, for long", async (t) => {
  await using server = await TestServer.shared();
  const url = await server.createDatabase();
  await using client = await TestClient.connect(url);
  await client.query(prelude);
  let seed = first;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; seed++)
    await differ(seed, url, client);
  t.diagnostic(`seeds ${first} to ${seed - 1}`);
});
