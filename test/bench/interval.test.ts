import assert from "node:assert/strict";
import { test } from "node:test";
import { intervalOf } from "../../bench/frames/interval.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("the interval of a median leaves out so many values at each end as 95 % allow", () => {
  // From the tables of the sign test: 2.5 % at each end allow 3 of 15, 5 of 20, and none of 6.
  assert.deepEqual(intervalOf(upTo(15)), { middle: 8, low: 4, high: 12 });
  assert.deepEqual(intervalOf(upTo(20)), { middle: 10.5, low: 6, high: 15 });
  assert.deepEqual(intervalOf(upTo(6)), { middle: 3.5, low: 1, high: 6 });
});

test("few values give their whole range, in any order", () => {
  assert.deepEqual(intervalOf([3, 1, 2]), { middle: 2, low: 1, high: 3 });
});
