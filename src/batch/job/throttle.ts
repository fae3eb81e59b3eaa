import { access } from "node:fs/promises";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { assertMethods, assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { orAborted } from "../../timers.ts";
import type { Throttle } from "../contract.ts";

const ASK_AGAIN_MS = 1000;

/** All reasons that hold now, joined; null when none does. */
async function reasons(throttles: readonly Throttle[], signal: AbortSignal): Promise<string | null> {
  const given = await Promise.all(throttles.map((throttle) => throttle(signal)));
  const holding = given.filter((reason) => reason !== null);
  return holding.length > 0 ? holding.join("; ") : null;
}

/**
 * Waits while any throttle gives a reason. `show` is called with the reasons when they change, and with null once the wait
 * is over. Throws the signal's reason when it aborts.
 */
export async function waitForThrottles(
  throttles: readonly Throttle[],
  signal: AbortSignal,
  show: (reason: string | null) => Promise<void>,
): Promise<void> {
  let shown: string | null = null;
  for (;;) {
    const reason = throttles.length > 0 ? await orAborted(reasons(throttles, signal), signal) : null;
    if (reason !== shown) await show(reason);
    shown = reason;
    if (reason === null) return;
    await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/**
 * A throttle: waits while the load of this machine, averaged over a minute, is above `most`. On Windows it never waits,
 * for the load is always 0 there.
 *
 * @param most runnable processes, such as the number of cores
 * @param load asked in place of the machine
 * @example
 * ```ts
 * const throttle = [whileLoadAbove(6)];
 * ```
 */
export function whileLoadAbove(most: number, load: () => number = () => loadavg()[0] ?? 0): Throttle {
  return () => {
    const now = load();
    return now > most ? `the load is ${now.toFixed(1)}, above ${most}` : null;
  };
}

/**
 * A throttle: waits while a file exists, so that a person or a program can hold the work up by creating it.
 *
 * @throws PawlError `argument.text` if the path is not a text
 * @example
 * ```ts
 * const throttle = [whileFile("/run/maintenance")];
 * ```
 */
export function whileFile(path: string): Throttle {
  assertText(path, "The path of whileFile");
  return async () => {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    return there ? `the file ${path} is there` : null;
  };
}

/**
 * A throttle: waits outside of the times of day, such as `22:00-06:00`, by this machine's clock and time zone.
 *
 * @param now asked in place of the clock
 * @throws PawlError `job.window` if a text is not such a time, `argument.methods` and `argument.text` if it is not a list of texts
 * @example
 * ```ts
 * const throttle = [whileOutside(["22:00-06:00", "12:00-13:00"])];
 * ```
 */
export function whileOutside(windows: readonly string[], now: () => Date = () => new Date()): Throttle {
  assertMethods(windows, "map", 'whileOutside takes a list such as ["22:00-06:00"]');
  for (const window of windows) assertText(window, "Each of the times of whileOutside");
  const parsed = windows.map(parseWindow);
  const named = windows.join(" and ");
  return () => {
    const date = now();
    const minute = date.getHours() * 60 + date.getMinutes();
    const open = parsed.some(({ from, to }) =>
      from < to ? minute >= from && minute < to : minute >= from || minute < to,
    );
    return open ? null : `it is not between ${named}`;
  };
}

function parseWindow(text: string): { from: number; to: number } {
  const match = /^\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*$/.exec(text);
  const [from, to] = match === null ? [] : [minuteOf(match[1], match[2]), minuteOf(match[3], match[4])];
  if (from === undefined || to === undefined || Number.isNaN(from + to) || from === to) {
    throw new PawlError("job.window", `A time window is written like 22:00-06:00, not "${text}".`);
  }
  return { from, to };
}

function minuteOf(hours = "", minutes = ""): number {
  const [hour, minute] = [Number(hours), Number(minutes)];
  return hour > 24 || minute > 59 || hour * 60 + minute > 24 * 60 ? Number.NaN : hour * 60 + minute;
}
