import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "../../../src/pool/index.ts";
import { fc } from "../../random.ts";
import { failureOf } from "../failure.ts";

test("an error in the caller's thread has the index of its item, wherever it is", async () => {
  await using pool = new Pool({ workers: 1 });
  const faulty = (x: number) => {
    if (x === -1) throw new RangeError("minus one");
    // Results that are undefined are results too.
    return x % 3 === 0 ? undefined : x;
  };
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), fc.nat(), async (count, place) => {
      const at = place % count;
      const items = Array.from({ length: count }, (_, index) => (index === at ? -1 : index));
      const error = await failureOf(pool.map(faulty, items));
      assert.deepEqual([error.message, error.index], ["minus one", at]);
    }),
    { numRuns: 50 },
  );
  assert.equal(pool.explain().functions[0]?.parallel, 0);
});

test("plain results, promises, null and objects like promises may be mixed in the caller's thread", async () => {
  await using pool = new Pool({ workers: 1 });
  const mixed = (x: number): unknown => {
    switch (x % 5) {
      case 0:
        return null;
      case 1:
        return Promise.resolve(x);
      case 2:
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        return { then: (resolve: (value: number) => void) => resolve(-x) };
      case 3:
        return { x };
      default:
        return x;
    }
  };
  const items = Array.from({ length: 500 }, (_, index) => index);
  const expected = items.map((x) => [null, x, -x, { x }, x][x % 5]);
  assert.deepEqual(await pool.map(mixed, items), expected);
  const rejecting = (x: number): unknown =>
    x === 321 ? Promise.reject(new Error("no")) : Promise.resolve(x);
  const error = await failureOf(pool.map(rejecting, items));
  assert.deepEqual([error.message, error.index], ["no", 321]);
});
