import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { csv } from "../../../../src/connect/csv/index.ts";
import { identityDifference } from "../../../../src/connect/csv/open/file-identity.ts";
import type { Json } from "../../../../src/store/contract.ts";
import { Folder } from "../fixture.ts";

test("an identity differs when the file does, and says how", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id\n1\n");
  const identity = async () => (await csv(path).describe()).identity;
  const before: Json = JSON.parse(JSON.stringify(await identity()));
  assert.equal(identityDifference(before, await identity()), null);
  await utimes(path, 1, 1);
  assert.match(identityDifference(before, await identity()) ?? "", /was last changed/);
  await writeFile(path, "id\n2\n");
  assert.match(identityDifference(before, await identity()) ?? "", /other content/);
  await writeFile(path, "id\n12\n");
  assert.match(identityDifference(before, await identity()) ?? "", /had 5 bytes and has 6 now/);
  assert.match(identityDifference(before, null) ?? "", /standard input now/);
  // Messages call a file what the person called it.
  const source = csv("a.csv", { cwd: folder.path });
  const named = csv(path.slice(folder.path.length + 1), { cwd: folder.path });
  const { identity: now } = await named.describe();
  assert.match(named.difference?.(before, now) ?? "", /^[^/]+ had 5 bytes and has 6 now\.$/);
  assert.match(source.difference?.(before, now) ?? "", /^\//);
});
