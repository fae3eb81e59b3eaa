import { resolve } from "node:path";
import { type Throttle, whileFile, whileLoadAbove, whileOutside } from "../../batch/index.ts";
import { given, parsed, parseNumber } from "./parse.ts";

/** The flags of `pauseOptions`, as the command line gives them. */
export interface ThrottleFlags {
  window?: string[];
  maxLoad?: string;
  pauseFile?: string;
}

/** What holds a run back, as it is stored with the run. */
export interface ThrottleSettings {
  readonly windows?: readonly string[];
  readonly load?: number;
  readonly file?: string;
}

/** Parses the flags. */
export function throttleSettings({ window, maxLoad, pauseFile }: ThrottleFlags): ThrottleSettings {
  if (window !== undefined) whileOutside(window);
  return given({
    windows: window,
    load: parsed(maxLoad, parseNumber, "--max-load"),
    file: parsed(pauseFile, (file) => resolve(file), "--pause-file"),
  });
}

/** The throttles of a job that waits so. */
export function throttlesOf({ windows, load, file }: ThrottleSettings): Throttle[] {
  return [
    ...(windows ? [whileOutside(windows)] : []),
    ...(file === undefined ? [] : [whileFile(file)]),
    ...(load === undefined ? [] : [whileLoadAbove(load)]),
  ];
}
