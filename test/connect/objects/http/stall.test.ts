import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { whyNoObjects } from "../s3/start.ts";
import { bucketContents, CopyScene, Servers } from "../scene.ts";

describe("a server that falls silent", { skip: whyNoObjects() }, () => {
  let servers: Servers;

  before(async () => {
    // Commands take it from here; what only is slow is asked again as well, and comes then.
    process.env.PAWL_SILENCE_MS = "3000";
    servers = await Servers.start();
  });
  after(async () => {
    delete process.env.PAWL_SILENCE_MS;
    await servers.stop();
  });

  it("is asked again, in the middle of an object, before its first byte, and of a part", async () => {
    await using scene = await CopyScene.begin(servers, "stall");
    for (const key of ["before", "middle", "other"]) await scene.source.put(key, randomBytes(500_000));
    await scene.source.put("large", randomBytes(16 * 2 ** 20 + 1));
    const stalled = new Set<string>();
    scene.near.decide = ({ operation, key }) => {
      if (operation !== "get" || key === "other" || stalled.has(key)) return null;
      stalled.add(key);
      return { kind: "stall", after: key === "before" ? 0 : 100_000 };
    };
    const { code, out, err } = await scene.copy();
    assert.equal(code, 0, out + err);
    assert.equal(stalled.size, 3);
    assert.deepEqual(await bucketContents(scene.target), await bucketContents(scene.source));
  });
});
