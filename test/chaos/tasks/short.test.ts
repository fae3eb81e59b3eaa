import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { Campaign, type CampaignOptions } from "./campaign.ts";

const short = { faults: 20, workers: 3, producers: 1, kind: null, broken: null } as const;

/** Plays one round, and gives the rules it found broken. */
async function play(options: CampaignOptions, print: (line: string) => void): Promise<Set<string>> {
  await using campaign = await Campaign.open(options, print);
  const { violations, struck } = await campaign.play(1);
  assert.ok(struck.length >= options.faults);
  for (const line of campaign.report()) print(line);
  return new Set(violations.map(({ rule }) => rule));
}

for (const driver of ["sqlite", "postgres"] as const) {
  const seed = String(randomInt(1_000_000_000));
  test(`tasks under faults of every kind keep every promise (${driver}, seed ${seed})`, async (t) => {
    const broken = await play({ ...short, driver, seed }, (line) => t.diagnostic(line));
    assert.deepEqual([...broken], []);
  });
}

test("a store that takes no notice of fences is found out", async () => {
  const stops = { ...short, driver: "sqlite", faults: 4, kind: "stop", broken: "fence" } as const;
  const found = new Set<string>();
  // Not every worker that is stopped has lost a task when it goes on.
  for (let n = 1; n <= 5 && found.size === 0; n++) {
    for (const rule of await play({ ...stops, seed: `fence ${n}` }, () => {})) found.add(rule);
  }
  assert.ok(found.has("fences") || found.has("settlements"), [...found].join());
});
