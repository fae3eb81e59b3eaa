import { resolve } from "node:path";
import { outsideOf, type Throttle, whileFile, whileLoadAbove } from "../../batch/index.ts";
import { given, parsed, parseNumber } from "./parse.ts";

/** The flags of `pauseOptions`, as the command line gives them. */
export interface PauseFlags {
  window?: string[];
  maxLoad?: string;
  pauseFile?: string;
}

/** What holds a run back, as it is stored with the run. */
export interface Pauses {
  readonly windows?: readonly string[];
  readonly load?: number;
  readonly file?: string;
}

/** Parses the flags. */
export function pausesOf({ window, maxLoad, pauseFile }: PauseFlags): Pauses {
  if (window !== undefined) outsideOf(window);
  return given({
    windows: window,
    load: parsed(maxLoad, parseNumber, "--max-load"),
    file: parsed(pauseFile, (file) => resolve(file), "--pause-file"),
  });
}

/** The throttles of a job that waits so. */
export function throttlesOf({ windows, load, file }: Pauses): Throttle[] {
  return [
    ...(windows ? [outsideOf(windows)] : []),
    ...(file === undefined ? [] : [whileFile(file)]),
    ...(load === undefined ? [] : [whileLoadAbove(load)]),
  ];
}
