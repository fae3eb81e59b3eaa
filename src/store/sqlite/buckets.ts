import type { BucketRate } from "../contract.ts";
import type { Connection } from "./connection.ts";

/**
 * Rates by the generic cell rate algorithm (ITU-T I.371): each claim uses one interval of the rate, and up to `burst`
 * intervals may be used ahead of the present. What was used ahead passes with time.
 */
interface BucketRow {
  readonly boot: string;
  readonly claimed_at: number;
  readonly claimed_at_wall: number;
  readonly ahead: number;
}

/** How many milliseconds of the rate are used ahead of the present, by the monotonic clock `now`. */
function ahead(
  db: Connection,
  { bucket, intervalMs, burst }: BucketRate,
  now: number = db.clock.monotonic(),
): number {
  if (!(intervalMs > 0 && burst >= 1)) {
    throw new RangeError(
      `The rate of the bucket ${bucket} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
    );
  }
  const row = db.get<BucketRow>("SELECT * FROM bucket WHERE name = ?", bucket);
  if (row === undefined) return 0;
  const { clock } = db;
  // The monotonic clock of another boot says nothing about this one but that all of it has passed since; the wall clock may lie.
  const sameClock = row.boot === clock.boot && row.claimed_at <= now;
  const passed = sameClock ? now - row.claimed_at : Math.max(now, clock.wall() - row.claimed_at_wall);
  // No more than by this rate: a lower one may have been asked for before.
  return Math.max(0, Math.min(row.ahead, burst * intervalMs) - passed);
}

/** How many tasks of a bucket may be claimed now. */
export function allowance(db: Connection, rate: BucketRate): number {
  // A hair more, so that what was added up from fractions is not a whole one short.
  return Math.floor(rate.burst - ahead(db, rate) / rate.intervalMs + 1e-9);
}

/** Milliseconds until one more may be claimed. */
export function bucketWait(db: Connection, rate: BucketRate): number {
  return Math.max(0, Math.ceil(ahead(db, rate) - (rate.burst - 1) * rate.intervalMs - 1e-6));
}

/** Notes that so many were claimed, in a transaction. */
export function charge(db: Connection, rate: BucketRate, claimed: number): void {
  // Asked once: what passed between two looks would be given to the bucket each time.
  const now = Math.floor(db.clock.monotonic());
  db.run(
    `INSERT INTO bucket (name, boot, claimed_at, claimed_at_wall, ahead) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (name) DO UPDATE SET boot = ?2, claimed_at = ?3, claimed_at_wall = ?4, ahead = ?5`,
    rate.bucket,
    db.clock.boot,
    now,
    db.clock.wall(),
    ahead(db, rate, now) + claimed * rate.intervalMs,
  );
}
