import { resolve } from "node:path";
import { objectAddressText, parseObjectAddress } from "../../connect/objects/internal.ts";
import type { Store } from "../../store/index.ts";
import type { StateLocation } from "../../store/internal.ts";
import {
  given,
  parseCount,
  parsed,
  parseNumber,
  parsePositiveDuration,
  parseShare,
  parseSize,
  parseTime,
} from "../options/parse.ts";
import { type ThrottleFlags, throttleSettings } from "../options/throttle.ts";
import { type StartFlags, startRun } from "../runs/start.ts";
import { type CopyParams, type CopyTuning, copyJob, copyReference } from "./job.ts";

/** The flags of `pawl copy`, as the command line gives them. */
export interface CopyFlags extends StartFlags, ThrottleFlags {
  fromProfile?: string;
  toProfile?: string;
  include?: string[];
  exclude?: string[];
  newer?: string;
  concurrency?: string;
  rate?: string;
  bandwidth?: string;
  move?: boolean;
  transform?: string;
  transformTimeout?: string;
  maxQuarantined?: string;
  memory?: string;
}

/** `pawl copy FROM TO`: begins to copy the objects of a folder or bucket, or continues where it was interrupted. */
export async function copyObjects(
  from: string,
  to: string,
  flags: CopyFlags,
  store: Store,
  location: StateLocation,
): Promise<void> {
  const tuning = tuningOf(flags);
  const params = copyParams(from, to, flags);
  const job = await copyJob(params, tuning);
  await startRun({ job, reference: copyReference(params, tuning), store, location, database: null }, flags);
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
  return {
    job: given({
      maxQuarantined: parsed(flags.maxQuarantined, parseShare, "--max-quarantined"),
      memory: parsed(flags.memory, parseSize, "--memory"),
      concurrency: parsed(flags.concurrency, parseCount, "--concurrency", 1),
      rate: parsed(flags.rate, parseNumber, "--rate"),
      bandwidth: parsed(flags.bandwidth, parseSize, "--bandwidth"),
    }),
    ...given({
      transformTimeoutMs: parsed(flags.transformTimeout, parsePositiveDuration, "--transform-timeout"),
    }),
    wait: throttleSettings(flags),
  };
}
