import { LONGEST_MS, millisecondsOf } from "../durations.ts";
import { PawlError } from "../errors.ts";

/** Milliseconds, or a number with its unit: `"250ms"`, `"30s"`, `"10m"`, `"6h"`, `"7d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "min" | "h" | "d"}`;

/** Milliseconds of a duration; `what` says in the PawlError `task.duration` where it stands. */
export function milliseconds(duration: Duration, what: string): number {
  const ms =
    typeof duration === "number"
      ? duration
      : typeof duration === "string"
        ? millisecondsOf(duration)
        : Number.NaN;
  if (ms >= 0) return ms;
  throw new PawlError(
    "task.duration",
    `${named(what)} must be milliseconds or a duration such as "30s" or "10m", not ${shown(duration)}.`,
  );
}

/** The same where there may be none. */
export function optionalMilliseconds(duration: Duration | undefined, what: string): number | undefined {
  return duration === undefined ? undefined : milliseconds(duration, what);
}

/** The same where something is to happen after it, so that it must have an end. */
export function finiteMilliseconds(duration: Duration, what: string): number {
  const ms = milliseconds(duration, what);
  if (ms <= LONGEST_MS) return ms;
  throw new PawlError("task.duration", `${named(what)} must be at most 1,000 years, not ${shown(duration)}.`);
}

/** The same where `Infinity` means never, and so does what is more than 1,000 years: null then, and where there is none. */
export function endingMilliseconds(duration: Duration | undefined, what: string): number | null {
  const ms = optionalMilliseconds(duration, what);
  return ms === undefined || ms > LONGEST_MS ? null : ms;
}

/** A duration that a person typed; `what` says where. A bare number would be milliseconds, which nobody means. */
export function parseDuration(text: string, what: string): Duration {
  const ms = typeof text === "string" ? millisecondsOf(text) : Number.NaN;
  if (ms <= LONGEST_MS) return ms;
  throw new PawlError(
    "task.duration",
    `${named(what)} takes a duration such as 30s or 10m, not ${shown(text)}.`,
  );
}

/** What somebody gave in place of a duration. */
function shown(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given);
  const said = typeof given === "number" || typeof given === "bigint" || typeof given === "boolean";
  return said || given === null ? String(given) : `a value of type ${typeof given}`;
}

/** Where it stands, which a program in JavaScript may leave out. */
function named(what: unknown): string {
  return typeof what === "string" && what !== "" ? what : "A duration";
}
