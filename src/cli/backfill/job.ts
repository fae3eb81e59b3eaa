import { createHash } from "node:crypto";
import {
  type AnyJob,
  defineJob,
  outsideOf,
  type Throttle,
  whileFile,
  whileLoadAbove,
} from "../../batch/index.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { table, update, whileBusy, whileQuery, whileReplicaLags } from "../../connect/postgres/index.ts";
import { comparableUrl } from "../../postgres-url.ts";
import type { JobReference, Json } from "../../store/contract.ts";
import { importStep } from "../options/transform.ts";
import { BACKFILL_MODULE } from "../runs/built-in-jobs.ts";

/** What a backfill is, as it is stored with its run: everything but the password. */
export interface BackfillParams {
  /** Where the table is: a URL without a password, `env:NAME`, or `embedded`. */
  readonly into: string;
  readonly table: string;
  readonly key: readonly string[] | null;
  readonly columns: readonly string[] | null;
  readonly where: string | null;
  readonly set: Readonly<Record<string, string>>;
  readonly step: string | null;
}

/** What may differ from one attempt to the next. */
export interface BackfillTuning {
  readonly job: {
    readonly maxBad?: number | `${number}%`;
    readonly memory: number;
    readonly concurrency?: number;
    readonly commitMs?: number;
    readonly atLeastOnce?: boolean;
  };
  readonly lockTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  readonly wait: {
    readonly windows?: readonly string[];
    readonly load?: number;
    readonly file?: string;
    readonly busy?: number;
    readonly lag?: { readonly seconds?: number; readonly bytes?: number };
    readonly query?: string;
  };
}

export function backfillReference(params: BackfillParams, tuning: BackfillTuning): JobReference {
  return {
    name: `backfill ${params.table}`,
    module: BACKFILL_MODULE,
    params: { ...params, tuning } as unknown as Json,
  };
}

/** Two backfills with one key are the same work: an interrupted one is resumed by the other. */
export function backfillKey(params: BackfillParams): string {
  const work = canonicalJson({ ...params, into: comparableUrl(params.into) });
  return `backfill ${createHash("sha256").update(work).digest("hex")}`;
}

/** Somebody may keep a row locked for minutes; a table in use is no reason to give up. */
const PATIENCE_MS = 10 * 60_000;

/** The job of a backfill. `url` says where the table is with its password, if it has one. */
export async function backfillJob(
  params: BackfillParams,
  tuning: BackfillTuning,
  url: string,
): Promise<AnyJob> {
  const step =
    params.step === null ? undefined : await importStep<Readonly<Record<string, unknown>>>(params.step);
  const { lockTimeoutMs, statementTimeoutMs } = tuning;
  const place = { url, table: params.table, ...(params.key ? { key: params.key } : {}) };
  return defineJob({
    name: `backfill ${params.table}`,
    key: backfillKey(params),
    source: table({
      ...place,
      ...(params.columns ? { columns: params.columns } : {}),
      ...(params.where === null ? {} : { where: params.where }),
    }),
    ...step,
    sink: update({
      ...place,
      set: params.set,
      ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
    }),
    throttle: throttlesOf(tuning.wait, url),
    patienceMs: PATIENCE_MS,
    ...tuning.job,
  }) as unknown as AnyJob;
}

function throttlesOf(wait: BackfillTuning["wait"], url: string): Throttle[] {
  return [
    ...(wait.windows ? [outsideOf(wait.windows)] : []),
    ...(wait.file === undefined ? [] : [whileFile(wait.file)]),
    ...(wait.load === undefined ? [] : [whileLoadAbove(wait.load)]),
    ...(wait.busy === undefined ? [] : [whileBusy({ url, connections: wait.busy })]),
    ...(wait.lag === undefined ? [] : [whileReplicaLags({ url, ...wait.lag })]),
    ...(wait.query === undefined ? [] : [whileQuery({ url, sql: wait.query })]),
  ];
}
