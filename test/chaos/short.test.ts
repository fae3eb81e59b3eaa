import { randomInt } from "node:crypto";
import { test } from "node:test";
import { Season } from "./season.ts";

const KILLS = 9;

for (const [work, what, seed] of [
  ["load", "a fixed seed", "pawl"],
  ["load", "a random seed", String(randomInt(1_000_000_000))],
  ["backfill", "a fixed seed", "pawl"],
  ["backfill", "a random seed", String(randomInt(1_000_000_000))],
] as const) {
  test(`${work}s killed at random moments lose nothing and do nothing twice (${what}: ${seed})`, async (t) => {
    const season = await Season.open(seed, { largest: 6000, killsOnly: true, aim: null, work }, (line) =>
      t.diagnostic(line),
    );
    try {
      for (let number = 1; season.kills < KILLS; number++) {
        const { failure } = await season.play(number);
        if (failure !== null) throw new Error(failure);
      }
    } finally {
      await season.close();
    }
  });
}
