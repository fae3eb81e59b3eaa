import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { strictSpacing } from "../../rate-limit.ts";
import type { BucketRate } from "../../store/contract.ts";

/** So many starts a second, minute, hour or day: `"100/m"`. */
export type RateLimit = `${number}/${"s" | "m" | "h" | "d"}`;

const PERIODS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The part of a period's starts that may come at once after a rest. */
const BURST = 0.05;

/**
 * The bucket of a rate. A bucket lets `burst + t / interval` starts through in any time `t`, so the interval is a little
 * longer than the period over `n`: then no window of one period holds more than `n`, wherever it begins.
 */
export function bucketRate(bucket: string, limit: RateLimit): BucketRate {
  const match = /^(\d+)\s*\/\s*([smhd])$/.exec(typeof limit === "string" ? limit.trim() : "");
  const n = Number(match?.[1]);
  const period = own(PERIODS, match?.[2] ?? "");
  if (!(n >= 1) || period === undefined) {
    throw new PawlError(
      "task.rate-limit",
      `The rateLimit of task "${bucket}" must be such as "100/m" (a whole number, and s, m, h or d), not ${typeof limit === "string" ? JSON.stringify(limit) : shown(limit)}.`,
    );
  }
  return { bucket, ...strictSpacing(n, period, BURST) };
}
