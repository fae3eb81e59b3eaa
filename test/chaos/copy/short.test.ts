import { randomInt } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { whyNoObjects } from "../../connect/objects/s3/start.ts";
import { Servers } from "../../connect/objects/scene.ts";
import { playCopy } from "./play.ts";

const KILLS = 6;

describe("copies killed at random moments", { skip: whyNoObjects() ?? false }, () => {
  let servers: Servers;

  before(async () => {
    servers = await Servers.start();
  });
  after(() => servers.stop());

  for (const [what, seed] of [
    ["a fixed seed", "pawl"],
    ["a random seed", String(randomInt(1_000_000_000))],
  ] as const) {
    it(`lose nothing, show nothing in part, and pay for nothing twice (${what}: ${seed})`, async (t) => {
      let kills = 0;
      for (let number = 1; kills < KILLS; number++) {
        const played = await playCopy(servers, seed, number, { largest: 120 });
        kills += played.kills;
        t.diagnostic(played.line);
        if (played.failure !== null) throw new Error(played.failure);
      }
    });
  }
});
