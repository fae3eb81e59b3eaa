import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { whyNoObjects } from "../../connect/objects/s3/start.ts";
import { Servers } from "../../connect/objects/scene.ts";
import { playCopy } from "./play.ts";

/** Two of one seed, from a folder to a bucket and between buckets: `npm run test:chaos-copy` plays any number of any. */
const SCENARIOS = [1, 3];
const SEED = "pawl";

describe("copies killed at random moments", { skip: whyNoObjects() }, () => {
  let servers: Servers;

  before(async () => {
    servers = await Servers.start();
  });
  after(() => servers.stop());

  it(`lose nothing, show nothing in part, and pay for nothing twice (seed ${SEED})`, async (t) => {
    for (const number of SCENARIOS) {
      const { line, failure, kills } = await playCopy(servers, SEED, number, { largest: 20 });
      t.diagnostic(line);
      if (failure !== null) throw new Error(failure);
      assert.ok(kills > 0);
    }
  });
});
