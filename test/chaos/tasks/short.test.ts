import assert from "node:assert/strict";
import { test } from "node:test";
import { Campaign } from "./campaign.ts";

/**
 * A few, of one seed: `npm run test:chaos -- --work tasks --store postgres` lets any number of any strike, on either store. In the
 * gate PostgreSQL loses its replies, restarts and has its workers killed in tests of their own.
 */
const FAULTS = 3;
const SEED = "pawl";

test(`tasks under faults keep every promise (seed ${SEED})`, async (t) => {
  await using campaign = await Campaign.open(
    { driver: "sqlite", seed: SEED, faults: FAULTS, workers: 2, producers: 1, kind: null, broken: null },
    (line) => t.diagnostic(line),
  );
  const { violations, struck } = await campaign.play(1);
  for (const line of campaign.report()) t.diagnostic(line);
  assert.deepEqual([...new Set(violations.map(({ rule }) => rule))], []);
  assert.ok(struck.length >= FAULTS);
});
