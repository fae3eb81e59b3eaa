import { resolve } from "node:path";
import { outsideOf, type Place } from "../../batch/index.ts";
import { objectAddressText, parseObjectAddress } from "../../connect/objects/internal.ts";
import type { Store } from "../../store/index.ts";
import {
  checkShare,
  parseCount,
  parseDuration,
  parseNumber,
  parseSize,
  parseTime,
} from "../options/parse.ts";
import { type BeginFlags, begin } from "../runs/begin.ts";
import { type CopyParams, type CopyTuning, copyJob, copyReference } from "./job.ts";

/** The flags of `pawl copy`, as the command line gives them. */
export interface CopyFlags extends BeginFlags {
  fromProfile?: string;
  toProfile?: string;
  include?: string[];
  exclude?: string[];
  newer?: string;
  concurrency?: string;
  rate?: string;
  bandwidth?: string;
  window?: string[];
  maxLoad?: string;
  pauseFile?: string;
  move?: boolean;
  transform?: string;
  transformTimeout?: string;
  maxBad?: string;
  memory?: string;
}

/** `pawl copy FROM TO`: begins to copy the objects of a place, or goes on where it was interrupted. */
export async function copyObjects(
  from: string,
  to: string,
  flags: CopyFlags,
  store: Store,
  place: Place,
): Promise<void> {
  const tuning = tuningOf(flags);
  const params = copyParams(from, to, flags);
  const job = await copyJob(params, tuning);
  await begin({ job, reference: copyReference(params, tuning), store, place, target: null }, flags);
}

/** What a copy is, in one spelling: patterns have no order, and none counts twice. */
export function copyParams(from: string, to: string, flags: CopyFlags): CopyParams {
  return {
    from: objectAddressText(parseObjectAddress(from)),
    to: objectAddressText(parseObjectAddress(to)),
    fromProfile: flags.fromProfile ?? null,
    toProfile: flags.toProfile ?? null,
    include: distinct(flags.include),
    exclude: distinct(flags.exclude),
    newer: flags.newer === undefined ? null : parseTime(flags.newer, "--newer"),
    move: flags.move ?? false,
    transform: flags.transform === undefined ? null : resolve(flags.transform),
  };
}

function distinct(patterns: readonly string[] = []): string[] {
  return [...new Set(patterns)].sort();
}

function tuningOf(flags: CopyFlags): CopyTuning {
  if (flags.maxBad !== undefined) checkShare(flags.maxBad, "--max-bad");
  if (flags.window !== undefined) outsideOf(flags.window);
  return {
    job: {
      ...(flags.maxBad === undefined ? {} : { maxBad: flags.maxBad as `${number}%` }),
      ...(flags.memory === undefined ? {} : { memory: parseSize(flags.memory, "--memory") }),
      ...(flags.concurrency === undefined
        ? {}
        : { atOnce: parseCount(flags.concurrency, "--concurrency", 1) }),
      ...(flags.rate === undefined ? {} : { rate: parseNumber(flags.rate, "--rate") }),
      ...(flags.bandwidth === undefined ? {} : { bandwidth: parseSize(flags.bandwidth, "--bandwidth") }),
    },
    ...(flags.transformTimeout === undefined
      ? {}
      : { transformTimeoutMs: parseDuration(flags.transformTimeout, "--transform-timeout") }),
    wait: {
      ...(flags.window === undefined ? {} : { windows: flags.window }),
      ...(flags.pauseFile === undefined ? {} : { file: resolve(flags.pauseFile) }),
      ...(flags.maxLoad === undefined ? {} : { load: parseNumber(flags.maxLoad, "--max-load") }),
    },
  };
}
