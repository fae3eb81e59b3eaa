import { Cron } from "croner";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json } from "../../store/contract.ts";
import { type Duration, finiteMilliseconds } from "../duration.ts";

/** What becomes of times that passed while no worker ran. */
export type CatchUp = "none" | "last" | "all";

/** When a schedule fires. */
export type ScheduleTimes = (
  | {
      /** Five fields, or six with seconds first. */
      readonly cron: string;
      /** In whose local time; UTC unless it is given. */
      readonly timezone?: string;
    }
  | { readonly every: Duration }
) & {
  /** `last` (the default): once for all that were missed. `all`: once for each. `none`: only what is less than 30 s late. */
  readonly catchUp?: CatchUp;
};

/** The same as it is stored. */
export type TimesSpec =
  | { readonly cron: string; readonly timezone: string; readonly catchUp: CatchUp }
  | { readonly everyMs: number; readonly catchUp: CatchUp };

/** Checks when a schedule fires. Throws a PawlError that says what is wrong. */
export function timesSpec(name: string, times: ScheduleTimes): TimesSpec {
  const { catchUp = "last" } = times;
  if (!["none", "last", "all"].includes(catchUp)) {
    throw new PawlError(
      "schedule.catch-up",
      `The catchUp of schedule "${name}" must be "none", "last" or "all".`,
    );
  }
  if ("every" in times) {
    const everyMs = finiteMilliseconds(times.every, `The every of schedule "${name}"`);
    if (everyMs < 1) throw new PawlError("schedule.every", `Schedule "${name}" must not fire all the time.`);
    return { everyMs, catchUp };
  }
  const spec = { cron: times.cron, timezone: times.timezone ?? "UTC", catchUp };
  try {
    nextTime(spec, 0);
  } catch (error) {
    const why = errorText(error).replace(/\.$/, "");
    throw new PawlError(
      "schedule.cron",
      `The cron "${times.cron}" (${spec.timezone}) of schedule "${name}" cannot be read: ${why}.`,
      { cause: error },
    );
  }
  return spec;
}

export function timesOf(spec: Json): TimesSpec {
  return spec as unknown as TimesSpec;
}

const crons = new Map<string, Cron>();

/** The first time after an instant; null when there is none any more. */
export function nextTime(spec: TimesSpec, after: number): number | null {
  if ("everyMs" in spec) return after + spec.everyMs;
  const key = `${spec.timezone} ${spec.cron}`;
  let cron = crons.get(key);
  if (cron === undefined) {
    cron = new Cron(spec.cron, { timezone: spec.timezone, paused: true });
    crons.set(key, cron);
  }
  return cron.nextRun(new Date(after))?.getTime() ?? null;
}

/** What is later than this was missed, where missed times are not to be caught up with. */
const LATE_MS = 30_000;

/** Times that are fired in one step. */
const MOST = 500;

/** The times for which a schedule that is due fires now, and when it fires next. */
export function firing(
  spec: TimesSpec,
  due: number,
  now: number,
): { readonly times: readonly number[]; readonly next: number | null } {
  if (spec.catchUp === "all") {
    const times: number[] = [];
    let at: number | null = due;
    for (; at !== null && at <= now && times.length < MOST; at = nextTime(spec, at)) times.push(at);
    return { times, next: at };
  }
  const { last, next } = lastBy(spec, due, now);
  return { times: spec.catchUp === "none" && now - last > LATE_MS ? [] : [last], next };
}

/** The last time up to now, and the one after it. */
function lastBy(spec: TimesSpec, due: number, now: number): { last: number; next: number | null } {
  if ("everyMs" in spec) {
    const last = due + Math.floor((now - due) / spec.everyMs) * spec.everyMs;
    return { last, next: last + spec.everyMs };
  }
  const next = nextTime(spec, now);
  let last = due;
  // Not from the first time missed on, which may be years ago: from ever longer before now.
  for (let back = 60_000; now - back > due; back *= 4) {
    const found = nextTime(spec, now - back);
    if (found !== null && found <= now) {
      last = found;
      break;
    }
  }
  for (let at = nextTime(spec, last); at !== null && at <= now; at = nextTime(spec, at)) last = at;
  return { last, next };
}
