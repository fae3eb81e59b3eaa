import assert from "node:assert/strict";
import { test } from "node:test";
import { float64, fromRows, int32, int64 } from "../../../src/data/index.ts";

const large = () => fromRows({ a: int64() }, [{ a: 2n ** 53n + 1n }, { a: 7n }]);

test("a value that does not fit is not a number in a comparison either", async () => {
  const kept = await large()
    .filter((c) => c.a.tryCast(int32()).gt(0))
    .collect();
  assert.deepEqual(kept, [{ a: 7n }]);
});

test("a cast fails on what does not fit also where it is only compared", async () => {
  const run = large()
    .filter((c) => c.a.cast(int32()).gt(0))
    .collect();
  await assert.rejects(run, /9007199254740993/);
});

test("the most frequent of floats may be NaN, and both zeros are one", async () => {
  const values = [Number.NEGATIVE_INFINITY, Number.NaN, Number.NaN].map((a) => ({ a }));
  const [row] = await fromRows({ a: float64() }, values)
    .agg((c) => ({ mode: c.a.mode() }))
    .collect();
  assert.deepEqual(row, { mode: Number.NaN });
  const [zero] = await fromRows({ a: float64() }, [{ a: -1 }, { a: 0 }, { a: -0 }])
    .agg((c) => ({ mode: c.a.mode() }))
    .collect();
  assert.equal(zero?.mode === 0, true);
});
