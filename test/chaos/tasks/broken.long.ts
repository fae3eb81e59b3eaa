import assert from "node:assert/strict";
import { test } from "node:test";
import { Campaign } from "./campaign.ts";

test("a store that takes no notice of fences is found out", async () => {
  const found = new Set<string>();
  // Not every worker that is stopped has lost a task when it goes on.
  for (let n = 1; n <= 5 && found.size === 0; n++) {
    await using campaign = await Campaign.open(
      {
        driver: "sqlite",
        seed: `fence ${n}`,
        faults: 4,
        workers: 3,
        producers: 1,
        kind: "stop",
        broken: "fence",
      },
      () => {},
    );
    for (const { rule } of (await campaign.play(1)).violations) found.add(rule);
  }
  assert.ok(found.has("fences") || found.has("settlements"), [...found].join());
});
