import type { LaneRate } from "../contract.ts";
import type { Session } from "./session.ts";
import { scalars, texts } from "./values.ts";

/**
 * Rates by the generic cell rate algorithm (ITU-T I.371): a lane keeps one number, the moment up to which its rate is
 * used. A claim moves it on by one interval; it may lie ahead of the present by `burst` intervals and no more.
 */
interface Used {
  readonly name: string;
  /** How many milliseconds of the rate are used ahead of the present, by the clock of the store. */
  readonly ahead: number;
}

/** A rate, and how much of it is used. */
export interface LaneUse {
  readonly rate: LaneRate;
  readonly ahead: number;
}

const AHEAD =
  "SELECT name, used_until - (SELECT pawl.now_ms()) AS ahead FROM pawl.lane WHERE name = ANY($1::text[])";

/** How far the rates are used. Of two rates for one lane the last one counts. */
export async function readLanes(session: Session, lanes: readonly LaneRate[]): Promise<LaneUse[]> {
  return use(lanes, await session.all<Used>(AHEAD, [names(lanes)]));
}

/** The same, and nobody else claims from these lanes until the transaction ends. */
export async function lockLanes(session: Session, lanes: readonly LaneRate[]): Promise<LaneUse[]> {
  session.later(
    "INSERT INTO pawl.lane (name, used_until) SELECT unnest($1::text[]), 0 ORDER BY 1 ON CONFLICT DO NOTHING",
    [names(lanes)],
  );
  return use(lanes, await session.all<Used>(`${AHEAD} ORDER BY name FOR UPDATE`, [names(lanes)]));
}

function names(lanes: readonly LaneRate[]): string | null {
  return texts([...new Set(lanes.map(({ lane }) => lane))]);
}

function use(lanes: readonly LaneRate[], rows: readonly Used[]): LaneUse[] {
  const used = new Map(rows.map(({ name, ahead }) => [name, ahead]));
  const rates = new Map(lanes.map((rate) => [rate.lane, rate]));
  return [...rates.values()].map((rate) => {
    const { lane, intervalMs, burst } = rate;
    if (!(intervalMs > 0 && burst >= 1)) {
      throw new RangeError(
        `The rate of the lane ${lane} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
      );
    }
    return { rate, ahead: Math.min(Math.max(0, used.get(lane) ?? 0), burst * intervalMs) };
  });
}

/** How many tasks of a lane may be claimed now. */
export function allowance({ rate, ahead }: LaneUse): number {
  // A hair more, so that what was added up from fractions is not a whole one short.
  return Math.floor(rate.burst - ahead / rate.intervalMs + 1e-9);
}

/** Milliseconds until one more may be claimed. */
export function laneWait({ rate, ahead }: LaneUse): number {
  return Math.max(0, Math.ceil(ahead - (rate.burst - 1) * rate.intervalMs - 1e-6));
}

/** Notes how many were claimed of each, in the transaction that has locked them. */
export function charge(session: Session, claimed: readonly (LaneUse & { readonly claimed: number })[]): void {
  const charged = claimed.filter((lane) => lane.claimed > 0);
  if (charged.length === 0) return;
  session.later(
    `UPDATE pawl.lane AS l SET used_until = (SELECT pawl.now_ms()) + c.used
     FROM unnest($1::text[], $2::double precision[]) AS c (name, used) WHERE l.name = c.name`,
    [
      texts(charged.map(({ rate }) => rate.lane)),
      scalars(charged.map(({ rate, ahead, claimed }) => ahead + claimed * rate.intervalMs)),
    ],
  );
}
