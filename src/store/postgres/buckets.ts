import type { BucketRate } from "../contract.ts";
import type { Session } from "./session.ts";
import { scalars, texts } from "./values.ts";

/**
 * Rates by the generic cell rate algorithm (ITU-T I.371): each claim uses one interval of the rate, and up to `burst`
 * intervals may be used ahead of the present. What was used ahead passes with time.
 */
interface Used {
  readonly name: string;
  /** How many milliseconds of the rate were used ahead of the moment of the last claim, and how long ago that was. */
  readonly ahead: number;
  readonly passed: number;
}

/** A rate, and how much of it is used. */
export interface BucketUse {
  readonly rate: BucketRate;
  readonly ahead: number;
}

// A clock that was set back makes no time pass, rather than take some away.
const AHEAD = `SELECT name, ahead, greatest(0, (SELECT pawl.now_ms()) - claimed_at) AS passed FROM pawl.bucket
  WHERE name = ANY($1::text[])`;

/** How far the rates are used. Of two rates for one bucket the last one counts. */
export async function readBuckets(session: Session, buckets: readonly BucketRate[]): Promise<BucketUse[]> {
  return use(buckets, await session.all<Used>(AHEAD, [names(buckets)]));
}

/** The same, and nobody else claims from these buckets until the transaction ends. */
export async function lockBuckets(session: Session, buckets: readonly BucketRate[]): Promise<BucketUse[]> {
  session.later(
    "INSERT INTO pawl.bucket (name, claimed_at, ahead) SELECT unnest($1::text[]), 0, 0 ORDER BY 1 ON CONFLICT DO NOTHING",
    [names(buckets)],
  );
  return use(buckets, await session.all<Used>(`${AHEAD} ORDER BY name FOR UPDATE`, [names(buckets)]));
}

function names(buckets: readonly BucketRate[]): string | null {
  return texts([...new Set(buckets.map(({ bucket }) => bucket))]);
}

function use(buckets: readonly BucketRate[], rows: readonly Used[]): BucketUse[] {
  const used = new Map(rows.map((row) => [row.name, row]));
  const rates = new Map(buckets.map((rate) => [rate.bucket, rate]));
  return [...rates.values()].map((rate) => {
    const { bucket, intervalMs, burst } = rate;
    const { ahead, passed } = used.get(bucket) ?? { ahead: 0, passed: 0 };
    // No more than by this rate: a lower one may have been asked for before.
    return { rate, ahead: Math.max(0, Math.min(ahead, burst * intervalMs) - passed) };
  });
}

/** Throws a RangeError for a rate at which nothing could ever be claimed, or anything at any time. */
export function assertRates(buckets: readonly BucketRate[]): void {
  for (const { bucket, intervalMs, burst } of buckets) {
    if (intervalMs > 0 && burst >= 1) continue;
    throw new RangeError(
      `The rate of the bucket ${bucket} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
    );
  }
}

/** How many tasks of a bucket may be claimed now. */
export function allowance({ rate, ahead }: BucketUse): number {
  // A hair more, so that what was added up from fractions is not a whole one short.
  return Math.floor(rate.burst - ahead / rate.intervalMs + 1e-9);
}

/** Milliseconds until one more may be claimed. */
export function bucketWait({ rate, ahead }: BucketUse): number {
  return Math.max(0, Math.ceil(ahead - (rate.burst - 1) * rate.intervalMs - 1e-6));
}

/** Notes how many were claimed of each, in the transaction that has locked them. */
export function charge(
  session: Session,
  claimed: readonly (BucketUse & { readonly claimed: number })[],
): void {
  const charged = claimed.filter((bucket) => bucket.claimed > 0);
  if (charged.length === 0) return;
  session.later(
    `UPDATE pawl.bucket AS l SET claimed_at = (SELECT pawl.now_ms()), ahead = c.ahead
     FROM unnest($1::text[], $2::double precision[]) AS c (name, ahead) WHERE l.name = c.name`,
    [
      texts(charged.map(({ rate }) => rate.bucket)),
      scalars(charged.map(({ rate, ahead, claimed }) => ahead + claimed * rate.intervalMs)),
    ],
  );
}
