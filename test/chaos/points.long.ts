import assert from "node:assert/strict";
import { test } from "node:test";
import { killAtPoints } from "./kill-at-points.ts";

/** More than a load of one chunk has from its start to its end. */
const POINTS = 60;

test("a load killed at each point where something becomes durable is finished by the next", async (t) => {
  const killed = await killAtPoints(Array.from({ length: POINTS }, (_, at) => at + 1));
  t.diagnostic(`killed at ${killed} points`);
  assert.ok(killed > 30 && killed < POINTS, `killed at ${killed} points`);
});
