import { Cron } from "croner";
import { assertObject, assertText } from "../../arguments.ts";
import { type Duration, finiteMilliseconds } from "../../durations.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json } from "../../store/contract.ts";
import { onlyOptions } from "../client/call.ts";

/** How often a schedule fires for times that passed while no worker ran: see `catchUp`. */
export type CatchUp = "none" | "last" | "all";

/** When a schedule fires. */
export type ScheduleTimes = (
  | {
      /** A cron pattern: five fields (minute, hour, day, month, weekday), or six with seconds first. */
      readonly cron: string;
      /**
       * The time zone of the pattern, such as `"Europe/Berlin"`.
       * @default "UTC"
       */
      readonly timezone?: string;
    }
  | {
      /** The time between two firings, and from when the schedule is stored to its first. */
      readonly every: Duration;
    }
) & {
  /**
   * After a time without workers, `last` fires once for all missed times, `all` once for each of them, and `none` only for a
   * time that is less than 30 s late.
   * @default "last"
   */
  readonly catchUp?: CatchUp;
};

/** `ScheduleTimes` as they are stored. */
export type TimesSpec =
  | { readonly cron: string; readonly timezone: string; readonly catchUp: CatchUp }
  | { readonly everyMs: number; readonly catchUp: CatchUp };

/** Checks when a schedule fires. Throws a PawlError that says what is wrong. */
export function timesSpec(name: string, times: ScheduleTimes): TimesSpec {
  assertObject(times, `The times of schedule "${name}"`);
  const { catchUp = "last" } = times;
  const given: Partial<Record<"cron" | "every" | "timezone", unknown>> = times;
  const isEvery = given.every !== undefined;
  if (isEvery ? (given.cron ?? given.timezone) !== undefined : given.cron === undefined)
    throw new PawlError(
      "schedule.times",
      `Schedule "${name}" must have either every, or cron with or without a timezone.`,
    );
  onlyOptions(times, ["cron", "timezone", "every", "catchUp"], `schedule "${name}"`);
  if (!["none", "last", "all"].includes(catchUp)) {
    throw new PawlError(
      "schedule.catch-up",
      `The catchUp of schedule "${name}" must be "none", "last" or "all".`,
    );
  }
  if ("every" in times && isEvery) {
    const everyMs = finiteMilliseconds(times.every, `The every of schedule "${name}"`);
    if (everyMs < 1) throw new PawlError("schedule.every", `Schedule "${name}" must not fire all the time.`);
    return { everyMs, catchUp };
  }
  const { timezone = "UTC", cron } = given;
  if (typeof timezone !== "string" || timezone.trim() === "") {
    throw new PawlError(
      "schedule.timezone",
      `The timezone of schedule "${name}" must be a name such as "Europe/Berlin": leave it out for UTC.`,
    );
  }
  assertText(cron, `The cron of schedule "${name}"`);
  const spec = { cron, timezone, catchUp };
  let first: number | null;
  try {
    first = cronOf(spec.cron, timezone).nextRun(new Date(0))?.getTime() ?? null;
  } catch (error) {
    const why = errorReason(error);
    throw new PawlError(
      "schedule.cron",
      `The cron "${cron}" (${timezone}) of schedule "${name}" cannot be read: ${why}.`,
      { cause: error },
    );
  }
  if (first === null) {
    throw new PawlError(
      "schedule.never",
      `The cron "${cron}" of schedule "${name}" names a time that never comes.`,
    );
  }
  return spec;
}

export function timesOf(spec: Json): TimesSpec {
  return spec as unknown as TimesSpec;
}

const crons = new Map<string, Cron>();

function cronOf(pattern: string, timezone: string): Cron {
  const key = `${timezone} ${pattern}`;
  let cron = crons.get(key);
  if (cron === undefined) {
    cron = new Cron(pattern, { timezone, paused: true });
    crons.set(key, cron);
  }
  return cron;
}

/** The first time after an instant; null when there is none any more. */
export function nextTime(spec: TimesSpec, after: number): number | null {
  if ("everyMs" in spec) return after + spec.everyMs;
  const cron = cronOf(spec.cron, spec.timezone);
  let next = cron.nextRun(new Date(after))?.getTime() ?? null;
  // Where a whole day is skipped, Croner may answer with a time before the one that it was asked about.
  for (let from = after; next !== null && next <= after; ) {
    from += DAY_MS;
    next = cron.nextRun(new Date(from))?.getTime() ?? null;
  }
  return skippedTime(spec.cron, spec.timezone, after, next ?? Number.POSITIVE_INFINITY) ?? next;
}

/** No zone has moved its clock by more than this at once. */
const DAY_MS = 86_400_000;

/**
 * When the clock skips a time of the pattern between two instants: the moment after it. Croner does this for some patterns
 * and leaves out others, such as those with two minutes in an hour that is skipped.
 */
function skippedTime(pattern: string, timezone: string, after: number, before: number): number | null {
  if (timezone === "UTC" || isHourly(pattern)) return null;
  const end = Math.min(before, after + 400 * DAY_MS);
  // The clock goes forward at most a few times a year, so most stretches hold no change at all.
  for (let from = after; from < end; from += DAY_MS) {
    const to = Math.min(from + DAY_MS, end);
    const early = offsetOf(timezone, from);
    if (offsetOf(timezone, to) <= early) continue;
    const change = firstWith(from, to, (at) => offsetOf(timezone, at) > early);
    const gap = { from: change + early, to: change + offsetOf(timezone, change) };
    // As if the zone were UTC: the pattern is matched with the local time that the clock would have shown.
    const wall = cronOf(pattern, "UTC")
      .nextRun(new Date(gap.from - 1000))
      ?.getTime();
    if (wall !== undefined && wall < gap.to) return change < before ? change : null;
  }
  return null;
}

/** Whether the pattern fires in each hour alike, so that a skipped hour leaves nothing out. */
function isHourly(pattern: string): boolean {
  const fields = pattern.trim().split(/\s+/);
  const hour = fields[fields.length === 5 ? 1 : 2];
  return hour === "*" || hour === "?";
}

/** The first instant (to the second) in a stretch for which it holds; it holds for the last one. */
function firstWith(from: number, to: number, holds: (at: number) => boolean): number {
  let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle * 1000)) high = middle;
    else low = middle;
  }
  return high * 1000;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far the local time of a zone is ahead of UTC, in milliseconds. */
function offsetOf(timezone: string, at: number): number {
  let clock = clocks.get(timezone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
    clocks.set(timezone, clock);
  }
  const name = clock.formatToParts(at).find((part) => part.type === "timeZoneName")?.value ?? "";
  const [, sign, hours, minutes = "0", seconds = "0"] = /GMT([+-])(\d+):?(\d+)?:?(\d+)?/.exec(name) ?? [];
  if (hours === undefined) return 0;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === "-" ? -ms : ms;
}

/** A time that is late by more than this was missed, where missed times are not caught up with. */
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
  // The search does not begin at the first missed time, which may be years ago, but ever longer before now.
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
