import type { LaneRate } from "../contract.ts";
import type { Connection } from "./connection.ts";

/**
 * Rates by the generic cell rate algorithm (ITU-T I.371): a lane keeps one number, the moment up to which its rate is
 * used. A claim moves it on by one interval; it may lie ahead of the present by `burst` intervals and no more.
 */
interface LaneRow {
  readonly boot: string;
  readonly used_until: number;
  readonly used_until_wall: number;
}

/** How many milliseconds of the rate are used ahead of the present. */
function ahead(db: Connection, { lane, intervalMs, burst }: LaneRate): number {
  if (!(intervalMs > 0 && burst >= 1)) {
    throw new RangeError(
      `The rate of the lane ${lane} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
    );
  }
  const row = db.get<LaneRow>("SELECT boot, used_until, used_until_wall FROM lane WHERE name = ?", lane);
  if (row === undefined) return 0;
  // The monotonic clock of another boot says nothing; the wall clock may lie, but not by more than a full burst.
  const used =
    row.boot === db.clock.boot
      ? row.used_until - db.clock.monotonic()
      : row.used_until_wall - db.clock.wall();
  return Math.min(Math.max(0, used), burst * intervalMs);
}

/** How many tasks of a lane may be claimed now. */
export function allowance(db: Connection, rate: LaneRate): number {
  // A hair more, so that what was added up from fractions is not a whole one short.
  return Math.floor(rate.burst - ahead(db, rate) / rate.intervalMs + 1e-9);
}

/** Milliseconds until one more may be claimed. */
export function laneWait(db: Connection, rate: LaneRate): number {
  return Math.max(0, Math.ceil(ahead(db, rate) - (rate.burst - 1) * rate.intervalMs - 1e-6));
}

/** Notes that so many were claimed, in a transaction. */
export function charge(db: Connection, rate: LaneRate, claimed: number): void {
  const used = ahead(db, rate) + claimed * rate.intervalMs;
  db.run(
    `INSERT INTO lane (name, boot, used_until, used_until_wall) VALUES (?, ?, ?, ?) ON CONFLICT (name)
     DO UPDATE SET boot = excluded.boot, used_until = excluded.used_until, used_until_wall = excluded.used_until_wall`,
    rate.lane,
    db.clock.boot,
    db.clock.monotonic() + used,
    db.clock.wall() + used,
  );
}
