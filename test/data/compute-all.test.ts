import assert from "node:assert/strict";
import { test } from "node:test";
import { computeAll, delayed, float64, fromRows, int64, text } from "../../src/data/index.ts";
import { Pool } from "../../src/pool/index.ts";

const sales = fromRows({ user: text(), amount: float64() }, [
  { user: "ada", amount: 1 },
  { user: "bob", amount: 2 },
]);
const double = delayed((x: number) => 2 * x, { name: "double" });

test("delayed calls and frames are computed in one call, by name", async () => {
  const told: number[][] = [];
  const results = await computeAll(
    { four: double(2), rows: sales.sort("user"), total: sales.agg((c) => ({ sum: c.amount.sum() })) },
    { onProgress: ({ done, total }) => void told.push([done, total]) },
  );
  assert.deepEqual(results, {
    four: 4,
    rows: [
      { user: "ada", amount: 1 },
      { user: "bob", amount: 2 },
    ],
    total: [{ sum: 3 }],
  });
  assert.deepEqual(told.at(-1), [3, 3]);
});

test("what fails ends the other kind, which is waited for", async () => {
  await using pool = new Pool({ workers: 1 });
  const begun = new Int32Array(new SharedArrayBuffer(8));
  const slow = delayed(
    (state: Int32Array) => {
      Atomics.store(state, 0, 1);
      Atomics.wait(state, 1, 0, 200);
      return 1;
    },
    { name: "slow" },
  );
  const after = delayed(
    (state: Int32Array, x: number) => {
      Atomics.store(state, 1, 9);
      return x;
    },
    { name: "after" },
  );
  const wrong = fromRows({ n: int64() }, [{ n: 2n ** 62n }]).with((c) => ({ n: c.n.mul(4) }));
  await assert.rejects(computeAll({ calls: after(begun, slow(begun)), wrong }, { pool }), {
    code: /^data\./,
  });
  assert.notEqual(begun[1], 9);
  const failing = delayed(
    (): number => {
      throw new Error("of a call");
    },
    { name: "failing" },
  );
  await assert.rejects(computeAll({ failing: failing(), sales }, { pool }), { code: "delayed.failed" });
  await assert.rejects(
    computeAll({ sales }, { signal: AbortSignal.abort("enough") }),
    (error) => error === "enough",
  );
});
