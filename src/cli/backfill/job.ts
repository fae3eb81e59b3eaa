import { createHash } from "node:crypto";
import { defineJob } from "../../batch/index.ts";
import type { AnyJob } from "../../batch/internal.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { table, update, whileBusy, whileQuery, whileReplicaLags } from "../../connect/postgres/index.ts";
import { comparableUrl } from "../../postgres-url.ts";
import type { JobReference, Json } from "../../store/contract.ts";
import { importTransform } from "../options/module.ts";
import { type ThrottleSettings, throttlesOf } from "../options/throttle.ts";
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
  readonly transform: string | null;
}

/** What may differ from one attempt to the next. */
export interface BackfillTuning {
  readonly job: {
    readonly maxQuarantined?: number | `${number}%`;
    readonly memory: number;
    readonly shards?: number;
    readonly commitTime?: number;
    readonly atLeastOnce?: boolean;
  };
  readonly lockTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  readonly wait: ThrottleSettings & {
    readonly busy?: number;
    readonly lag?: { readonly delay?: number; readonly size?: number };
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

/** A table in use may have a row locked for minutes, which is not a reason to give up. */
const PATIENCE = "10m";

/** The job of a backfill. `url` says where the table is with its password, if it has one. */
export async function backfillJob(
  params: BackfillParams,
  tuning: BackfillTuning,
  url: string,
): Promise<AnyJob> {
  const transform =
    params.transform === null
      ? undefined
      : await importTransform<Readonly<Record<string, unknown>>>(params.transform);
  const { lockTimeoutMs, statementTimeoutMs, wait } = tuning;
  const target = { url, table: params.table, ...(params.key ? { key: params.key } : {}) };
  return defineJob({
    name: `backfill ${params.table}`,
    key: backfillKey(params),
    source: table({
      ...target,
      ...(params.columns ? { columns: params.columns } : {}),
      ...(params.where === null ? {} : { where: params.where }),
    }),
    ...transform,
    sink: update({
      ...target,
      set: params.set,
      ...(lockTimeoutMs === undefined ? {} : { lockTimeout: lockTimeoutMs }),
      ...(statementTimeoutMs === undefined ? {} : { statementTimeout: statementTimeoutMs }),
    }),
    throttle: [
      ...throttlesOf(wait),
      ...(wait.busy === undefined ? [] : [whileBusy({ url, connections: wait.busy })]),
      ...(wait.lag === undefined ? [] : [whileReplicaLags({ url, ...wait.lag })]),
      ...(wait.query === undefined ? [] : [whileQuery({ url, sql: wait.query })]),
    ],
    patience: PATIENCE,
    ...tuning.job,
  }) as unknown as AnyJob;
}
