import { resolve } from "node:path";
import { UNFINISHED } from "../../batch/internal.ts";
import { millisecondsOf } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { comparableUrl } from "../../postgres-url.ts";
import type { Store } from "../../store/index.ts";
import type { StateLocation } from "../../store/internal.ts";
import { type DatabaseFlags, databaseFlag, resolveDatabase } from "../options/database.ts";
import {
  given,
  lacking,
  parseAssignments,
  parseCount,
  parsed,
  parseNames,
  parsePositiveDuration,
  parseShare,
  parseSize,
} from "../options/parse.ts";
import { type ThrottleFlags, throttleSettings } from "../options/throttle.ts";
import { BACKFILL_MODULE } from "../runs/built-in-jobs.ts";
import { type StartFlags, startRun } from "../runs/start.ts";
import { nextCommand } from "../terminal/next-command.ts";
import {
  type BackfillParams,
  type BackfillTuning,
  backfillJob,
  backfillKey,
  backfillReference,
} from "./job.ts";

/** The flags of `pawl backfill`, as the command line gives them. */
export interface BackfillFlags extends StartFlags, ThrottleFlags, DatabaseFlags {
  url?: string;
  table: string;
  key?: string;
  columns?: string;
  where?: string;
  set?: string[];
  transform?: string;
  commitTime?: string;
  lockTimeout?: string;
  statementTimeout?: string;
  pauseQuery?: string;
  maxActive?: string;
  maxLag?: string;
  maxQuarantined?: string;
  memory?: string;
  concurrency?: string;
  atLeastOnce?: boolean;
}

/** `pawl backfill --table T --set …`: begins to change the rows of a table, or continues where it was interrupted. */
export async function backfill(flags: BackfillFlags, store: Store, location: StateLocation): Promise<void> {
  if (flags.set === undefined && flags.transform === undefined) {
    throw new PawlError(
      "usage.backfill",
      "pawl backfill does not know what to change: give --set column=expression, or --transform module.ts.",
    );
  }
  const tuning = tuningOf(flags);
  const shape = backfillParams(flags);
  const database = await resolveDatabase(flags.url, location, databaseFlag(flags, "url"));
  const params: BackfillParams = { ...shape, into: database.stored };
  if (!flags.dryRun) await refuseChangingAgain(params, store);
  const job = await backfillJob(params, tuning, database.url);
  await startRun({ job, reference: backfillReference(params, tuning), store, location, database }, flags);
}

/** What a backfill is, in one spelling; the table is gone through by the columns of the key in their order. */
export function backfillParams(flags: BackfillFlags): Omit<BackfillParams, "into"> {
  return {
    table: flags.table.trim(),
    key: flags.key === undefined ? null : parseNames(flags.key, "--key"),
    columns: flags.columns === undefined ? null : parseNames(flags.columns, "--columns").sort(),
    where: flags.where?.trim() ?? null,
    set: parseAssignments(flags.set ?? [], "--set"),
    transform: flags.transform === undefined ? null : resolve(flags.transform),
  };
}

function tuningOf(flags: BackfillFlags): BackfillTuning {
  return {
    job: {
      memory: parseSize(flags.memory ?? "128MB", "--memory"),
      ...given({
        maxQuarantined: parsed(flags.maxQuarantined, parseShare, "--max-quarantined"),
        shards: parsed(flags.concurrency, parseCount, "--concurrency", 1),
        commitTime: parsed(flags.commitTime, parsePositiveDuration, "--commit-time"),
        atLeastOnce: flags.atLeastOnce,
      }),
    },
    ...given({
      lockTimeoutMs: parsed(flags.lockTimeout, parsePositiveDuration, "--lock-timeout"),
      statementTimeoutMs: parsed(flags.statementTimeout, parsePositiveDuration, "--statement-timeout"),
    }),
    wait: {
      ...throttleSettings(flags),
      ...given({
        query: flags.pauseQuery,
        busy: parsed(flags.maxActive, parseCount, "--max-active", 0),
        lag: parsed(flags.maxLag, lagOf, "--max-lag"),
      }),
    },
  };
}

/** `5s`, or `100MB` of the log. What could be either, such as `100m` or `5`, is a time or refused. */
function lagOf(text: string, flag: string): { delay: number } | { size: number } {
  if (/\db$|[kmgt]i?b$/i.test(text.trim())) return { size: parseSize(text, flag) };
  if (millisecondsOf(text) > 0) return { delay: parsePositiveDuration(text, flag) };
  throw new PawlError(
    "usage.lag",
    `${flag} takes a time such as 5s or 2min, or a size such as 100MB, not "${text}"${lacking(text)}.`,
  );
}

/**
 * Refuses a backfill that is an interrupted one in other words: it would start again from the beginning, and change rows twice. Words
 * differ by blanks, by the schema before the table, and by quotes and capitals of its name.
 */
export async function refuseChangingAgain(params: BackfillParams, store: Store): Promise<void> {
  const key = backfillKey(params);
  const unfinished = (await store.runs({})).filter(
    ({ job, state }) => job.module === BACKFILL_MODULE && UNFINISHED.includes(state),
  );
  if (unfinished.some((run) => run.key === key)) return;
  const run = unfinished.find(({ job }) =>
    isSameInOtherWords(job.params as unknown as BackfillParams, params),
  );
  if (run === undefined) return;
  throw new PawlError(
    "usage.changing-again",
    `Run ${run.id} is the same backfill of ${(run.job.params as unknown as BackfillParams).table} in other words and has not ended: rows that it has changed would be changed again; ` +
      `continue with ${nextCommand(["resume", run.id])}, or give it up with ${nextCommand(["cancel", run.id])}.`,
  );
}

function isSameInOtherWords(one: BackfillParams, other: BackfillParams): boolean {
  if (comparableUrl(one.into) !== comparableUrl(other.into)) return false;
  const [a, b] = [nameOf(one.table), nameOf(other.table)];
  if (a.name !== b.name || (a.schema !== null && b.schema !== null && a.schema !== b.schema)) return false;
  return work(one) === work(other);
}

function work({ set, where, transform }: BackfillParams): string {
  const assignments = Object.entries(set).map(([column, expression]) => [column, squeezed(expression)]);
  return JSON.stringify([assignments.sort(), squeezed(where ?? ""), transform]);
}

/** Without blanks but those in quotes. */
function squeezed(sql: string): string {
  return sql.replace(/('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+/g, (_, quoted?: string) => quoted ?? "");
}

function nameOf(table: string): { schema: string | null; name: string } {
  const [name = "", schema = null] = table.toLowerCase().replaceAll('"', "").split(".").reverse();
  return { schema, name };
}
