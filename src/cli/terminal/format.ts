import { grouped } from "../../count-text.ts";
import type { Instant } from "../../store/contract.ts";

/** A count with the unit of a source, which is a plural: `1 row`, `2 rows`. */
export function withUnit(count: number, unit: string): string {
  return `${grouped(count)} ${unitFor(count, unit)}`;
}

/** The unit alone. */
export function unitFor(count: number, unit: string): string {
  return Math.round(count) === 1 ? unit.replace(/s$/, "") : unit;
}

/** `18 s`, `4 min 10 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

const DAY_S = 86_400;

/** A span of time: `340 ms`, `1.2 s`, `4 min 10 s`, `2 h 05 min`, `3 d 4 h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  return longSpan(ms);
}

/** The same where less than a second does not matter. */
export function longSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 2 * DAY_S) return duration(seconds);
  return `${Math.floor(seconds / DAY_S)} d ${Math.floor((seconds % DAY_S) / 3_600)} h`;
}

/** One figure and its unit, for columns: `97 s`, `14 min`, `5 h`, `3 d`. */
export function shortSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 100 * 60) return `${Math.floor(seconds / 60)} min`;
  return seconds < 2 * DAY_S ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / DAY_S)} d`;
}

/** `2026-01-31 02:30:00 UTC`, the same whatever zone the terminal is in. */
export function utc(instant: Instant): string {
  return `${new Date(instant).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `2026-01-31 02:30:00 UTC, 12 s ago` or `…, in 12 s`. */
export function utcAndSpan(instant: Instant, now: Instant): string {
  return `${utc(instant)}, ${instant > now ? `in ${longSpan(instant - now)}` : `${longSpan(now - instant)} ago`}`;
}
