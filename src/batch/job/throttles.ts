import { access } from "node:fs/promises";
import { loadavg } from "node:os";
import { assertMethods, assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { Throttle } from "./throttle.ts";

/** Waits while the load of this machine, averaged over a minute, is above a number. */
export function whileLoadAbove(most: number, load: () => number = () => loadavg()[0] ?? 0): Throttle {
  return () => {
    const now = load();
    return now > most ? `the load is ${now.toFixed(1)}, above ${most}` : null;
  };
}

/** Waits while a file is there: for people and programs that want the work to hold on. */
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

/** Waits outside of the times of day, such as `22:00-06:00`, by this machine's clock. */
export function outsideOf(windows: readonly string[], now: () => Date = () => new Date()): Throttle {
  assertMethods(windows, "map", 'outsideOf takes a list such as ["22:00-06:00"]');
  for (const window of windows) assertText(window, "Each of the times of outsideOf");
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
