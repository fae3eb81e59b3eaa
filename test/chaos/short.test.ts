import { test } from "node:test";
import { Season } from "./season.ts";

/** A few, of one seed: `npm run test:chaos` plays any number of any. */
const KILLS = 2;
const SEED = "pawl";

for (const work of ["load", "backfill"] as const) {
  test(`${work}s killed at random moments lose nothing and do nothing twice (seed ${SEED})`, async (t) => {
    const season = await Season.open(SEED, { largest: 2500, killsOnly: true, aim: null, work }, (line) =>
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
