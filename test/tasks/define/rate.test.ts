import assert from "node:assert/strict";
import { test } from "node:test";
import type { RateLimit } from "../../../src/tasks/contract.ts";
import { bucketRate } from "../../../src/tasks/define/task.ts";
import { fc } from "../../random.ts";

const PERIODS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

test("the bound of a bucket lets no more through in a period than its rate says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.constantFrom(...(Object.keys(PERIODS) as (keyof typeof PERIODS)[])),
      (n, unit) => {
        const { intervalMs, burst } = bucketRate("x", `${n}/${unit}`);
        // A window that holds both its ends, as one that begins with a start does.
        const most = burst + Math.floor((PERIODS[unit] - 1e-6) / intervalMs);
        assert.ok(most <= n, `${most} starts`);
        assert.ok(most >= n * 0.99 - 1, `only ${most} of ${n}`);
      },
    ),
  );
});

test("a rate that is none is refused with the name of the task", () => {
  for (const limit of ["", "0/s", "5", "5/x", "1.5/s", "-1/s", 5]) {
    assert.throws(() => bucketRate("mail", limit as RateLimit), {
      code: "task.rate-limit",
      message: /^The rateLimit of task "mail" must be /,
    });
  }
});
