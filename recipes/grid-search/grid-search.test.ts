import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeData } from "./data.ts";
import { grid, trained } from "./search.ts";

const program = fileURLToPath(new URL("grid-search.ts", import.meta.url));

test("the workers find the best parameters that a plain loop finds, with the same figures", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  const table = stdout.split("\n").slice(2, 12);
  const set = makeData(1);
  const scores = grid().map((parameters) => ({
    ...parameters,
    ...trained(set, parameters).judge(set.validation),
  }));
  const ranked = scores.toSorted((a, b) => a.loss - b.loss);
  assert.deepEqual(
    table.map((line) => line.trim().split(/ {2,}/)),
    ranked
      .slice(0, 10)
      .map(({ learningRate, batch, dropout, width, loss, accuracy }) => [
        ...[learningRate, batch, dropout, width].map(String),
        loss.toFixed(4),
        `${(100 * accuracy).toFixed(1)} %`,
      ]),
  );
  const { learningRate, batch, dropout, width } = ranked[0] as (typeof ranked)[number];
  assert.deepEqual(
    { learningRate, batch, dropout, width },
    { learningRate: 0.3, batch: 8, dropout: 0, width: 8 },
  );
});

test("the network learns: it tells new rows right, and one without time to learn does not", () => {
  const set = makeData(1);
  const best = { learningRate: 0.3, batch: 8, dropout: 0, width: 8 };
  assert.ok(trained(set, best).judge(set.test).accuracy > 0.94);
  assert.ok(trained(set, { ...best, learningRate: 0.003, batch: 128 }).judge(set.test).accuracy < 0.85);
});
