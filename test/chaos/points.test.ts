import assert from "node:assert/strict";
import { test } from "node:test";
import { killAtPoints } from "./kill-at-points.ts";

test("a load killed where something becomes durable is finished by the next", async () => {
  const points = [1, 5, 11, 20];
  assert.equal(await killAtPoints(points), points.length);
});
