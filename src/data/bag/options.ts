import { availableParallelism } from "node:os";
import { assertOptions, type OptionNames, quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { bytes, type Size, sizeText } from "../../sizes.ts";
import type { Malformed } from "./steps.ts";
import type { BagCounts } from "./tally.ts";

/** How a result of a bag is computed. */
export interface BagRunOptions {
  /**
   * Memory of the whole process that this run may take: buffers, workers and what results hold until they spill. At least 128 MB.
   * @default "1GB"
   */
  readonly memory?: Size;
  /**
   * Threads for functions.
   * @default one for each core
   */
  readonly workers?: number;
  /**
   * Ends the run, which rejects with the signal's reason. Nothing is published then.
   * @default nothing ends it early
   */
  readonly signal?: AbortSignal;
  /**
   * Told how far the run is, after each part of the input.
   * @default nothing is told
   */
  readonly onProgress?: (progress: BagProgress) => void;
}

/** How far a run is. */
export interface BagProgress extends BagCounts {
  /** Bytes of the input that were read, as they are stored. */
  readonly bytes: number;
  /** Bytes of the input in all; null for items of the program. */
  readonly totalBytes: number | null;
  /** Milliseconds since the run began. */
  readonly elapsed: number;
  /** Milliseconds until the input is read at this rate; null where that is not known. */
  readonly remaining: number | null;
}

/** How lines are read. */
export interface BagSourceOptions {
  /**
   * What becomes of a line that is not JSON, not UTF-8, or longer than memory has room for: the first one fails the run, each is dropped, or
   * each is kept in a quarantine file with its file and line, to be replayed when it is fixed. Each is counted.
   * @default "fail"
   */
  readonly malformed?: Malformed;
  /**
   * Whether each item is a pair of itself and the path of its file.
   * @default false
   */
  readonly includePath?: boolean;
}

export const RUN_OPTIONS: OptionNames<BagRunOptions> = {
  memory: true,
  workers: true,
  signal: true,
  onProgress: true,
};
export const SOURCE_OPTIONS: OptionNames<BagSourceOptions> = { malformed: true, includePath: true };

/** The options of a run with their defaults. */
export interface RunSettings {
  readonly memory: number;
  readonly workers: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: BagProgress) => void) | undefined;
}

/** With less, Node and its workers alone would not fit. */
const LEAST_MEMORY = 128 * 1024 * 1024;
/** What one worker takes before it holds anything. */
const WORKER_BYTES = 48 * 1024 * 1024;
/** What the program itself takes. */
const BASE_BYTES = 80 * 1024 * 1024;

/** Throws the PawlError that names the option which cannot be. */
export function runSettings(options: BagRunOptions): RunSettings {
  const { signal, onProgress } = options;
  const memory = bytes(options.memory ?? "1GB", "The option memory");
  if (memory < LEAST_MEMORY)
    throw new PawlError(
      "bag.memory",
      `The option memory must be at least ${sizeText(LEAST_MEMORY)}, without which no worker runs, not ${quoted(options.memory)}.`,
    );
  const wanted = options.workers ?? availableParallelism();
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new PawlError(
      "bag.workers",
      `The option workers must be a whole number, at least 1, not ${quoted(options.workers)}.`,
    );
  const room = Math.floor((memory - BASE_BYTES) / WORKER_BYTES);
  return { memory, workers: Math.max(1, Math.min(wanted, room)), signal, onProgress };
}

/** Bytes of all that workers may hold beside what they are made of. */
export function workingBytes({ memory, workers }: RunSettings): number {
  return Math.max(8 * 1024 * 1024, memory - BASE_BYTES - workers * WORKER_BYTES);
}

/** What becomes of malformed lines. Throws a PawlError for what is none of the three. */
export function malformedFrom(given: unknown, what: string): Malformed {
  if (given === undefined) return "fail";
  if (given === "fail" || given === "drop") return given;
  if (typeof given === "object" && given !== null) {
    assertOptions(given as { quarantine: string }, { quarantine: true }, `the malformed of ${what}`);
    const { quarantine } = given as { quarantine?: unknown };
    if (typeof quarantine === "string" && quarantine !== "") return { quarantine };
  }
  throw new PawlError(
    "bag.malformed-option",
    `The option malformed of ${what} must be "fail", "drop" or { quarantine: FILE }, not ${quoted(given)}.`,
  );
}
