import { resolve } from "node:path";
import { outsideOf, type Place } from "../../batch/index.ts";
import { millisecondsOf } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import type { Store } from "../../store/index.ts";
import { resolveTarget } from "../options/database.ts";
import {
  checkShare,
  lacking,
  parseAssignments,
  parseCount,
  parseDuration,
  parseNames,
  parseNumber,
  parseSize,
} from "../options/parse.ts";
import { type BeginFlags, begin } from "../runs/begin.ts";
import { refuseChangingAgain } from "./changing-again.ts";
import { type BackfillParams, type BackfillTuning, backfillJob, backfillReference } from "./job.ts";

/** The flags of `pawl backfill`, as the command line gives them. */
export interface BackfillFlags extends BeginFlags {
  url?: string;
  table: string;
  key?: string;
  columns?: string;
  where?: string;
  set?: string[];
  step?: string;
  commitTime?: string;
  lockTimeout?: string;
  statementTimeout?: string;
  window?: string[];
  pauseFile?: string;
  pauseQuery?: string;
  maxLoad?: string;
  maxActive?: string;
  maxLag?: string;
  maxBad?: string;
  memory?: string;
  concurrency?: string;
  atLeastOnce?: boolean;
}

/** `pawl backfill --table T --set …`: begins to change the rows of a table, or goes on where it was interrupted. */
export async function backfill(flags: BackfillFlags, store: Store, place: Place): Promise<void> {
  if (flags.set === undefined && flags.step === undefined) {
    throw new PawlError(
      "usage.backfill",
      "pawl backfill needs to know what to change: give --set column=expression, or --step module.ts.",
    );
  }
  const tuning = tuningOf(flags);
  const shape = backfillParams(flags);
  const target = await resolveTarget(flags.url, place, "--url");
  const params: BackfillParams = { ...shape, into: target.stored };
  if (!flags.dryRun) await refuseChangingAgain(params, store);
  const job = await backfillJob(params, tuning, target.url);
  await begin({ job, reference: backfillReference(params, tuning), store, place, target }, flags);
}

/** What a backfill is, in one spelling; the table is gone through by the columns of the key in their order. */
export function backfillParams(flags: BackfillFlags): Omit<BackfillParams, "into"> {
  return {
    table: flags.table.trim(),
    key: flags.key === undefined ? null : parseNames(flags.key, "--key"),
    columns: flags.columns === undefined ? null : parseNames(flags.columns, "--columns").sort(),
    where: flags.where?.trim() ?? null,
    set: parseAssignments(flags.set ?? [], "--set"),
    step: flags.step === undefined ? null : resolve(flags.step),
  };
}

function tuningOf(flags: BackfillFlags): BackfillTuning {
  if (flags.maxBad !== undefined) checkShare(flags.maxBad, "--max-bad");
  if (flags.window !== undefined) outsideOf(flags.window);
  const { pauseQuery: query, window: windows } = flags;
  return {
    job: {
      ...(flags.maxBad === undefined ? {} : { maxBad: flags.maxBad as `${number}%` }),
      memory: parseSize(flags.memory ?? "128MB", "--memory"),
      ...(flags.concurrency === undefined
        ? {}
        : { concurrency: parseCount(flags.concurrency, "--concurrency", 1) }),
      ...(flags.commitTime === undefined
        ? {}
        : { commitMs: parseDuration(flags.commitTime, "--commit-time") }),
      ...(flags.atLeastOnce ? { atLeastOnce: true } : {}),
    },
    ...(flags.lockTimeout === undefined
      ? {}
      : { lockTimeoutMs: parseDuration(flags.lockTimeout, "--lock-timeout") }),
    ...(flags.statementTimeout === undefined
      ? {}
      : { statementTimeoutMs: parseDuration(flags.statementTimeout, "--statement-timeout") }),
    wait: {
      ...(windows === undefined ? {} : { windows }),
      ...(flags.pauseFile === undefined ? {} : { file: resolve(flags.pauseFile) }),
      ...(query === undefined ? {} : { query }),
      ...(flags.maxLoad === undefined ? {} : { load: parseNumber(flags.maxLoad, "--max-load") }),
      ...(flags.maxActive === undefined ? {} : { busy: parseCount(flags.maxActive, "--max-active", 0) }),
      ...(flags.maxLag === undefined ? {} : { lag: lagOf(flags.maxLag) }),
    },
  };
}

/** `5s`, or `100MB` of the log. What could be either, such as `100m` or `5`, is a time or refused. */
function lagOf(text: string): { seconds: number } | { bytes: number } {
  if (/\db$|[kmgt]i?b$/i.test(text.trim())) return { bytes: parseSize(text, "--max-lag") };
  if (millisecondsOf(text) > 0) return { seconds: parseDuration(text, "--max-lag") / 1000 };
  throw new PawlError(
    "usage.lag",
    `--max-lag takes a time such as 5s or 2min, or a size such as 100MB, not "${text}"${lacking(text)}.`,
  );
}
