import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { defineJob } from "../../batch/index.ts";
import type { AnyJob } from "../../batch/internal.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { copy } from "../../connect/objects/index.ts";
import type { JobReference, Json } from "../../store/contract.ts";
import { type ThrottleSettings, throttlesOf } from "../options/throttle.ts";
import { COPY_MODULE } from "../runs/built-in-jobs.ts";

/** What a copy is, as it is stored with its run. It names profiles and holds no keys. */
export interface CopyParams {
  readonly from: string;
  readonly to: string;
  readonly fromProfile: string | null;
  readonly toProfile: string | null;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** A time as ISO 8601, or how many milliseconds ago. */
  readonly newer: string | number | null;
  readonly move: boolean;
  /** The path of a module. */
  readonly transform: string | null;
}

/** What may differ from one attempt to the next. */
export interface CopyTuning {
  readonly job: {
    readonly maxQuarantined?: number | `${number}%`;
    readonly memory?: number;
    readonly concurrency?: number;
    readonly rate?: number;
    readonly bandwidth?: number;
  };
  readonly transformTimeoutMs?: number;
  readonly wait: ThrottleSettings;
}

const nameOf = ({ from, to }: CopyParams): string => `copy ${from} ${to}`;

export function copyReference(params: CopyParams, tuning: CopyTuning): JobReference {
  return {
    name: nameOf(params),
    module: COPY_MODULE,
    params: { ...params, tuning } as unknown as Json,
  };
}

/** Two copies with one key are the same work: an interrupted one is resumed by the other. */
export function copyKey(params: CopyParams): string {
  return `copy ${createHash("sha256").update(canonicalJson(params)).digest("hex")}`;
}

/** Ranges of the listing that are worked through at once: while one waits for its last object the others continue. */
const RANGES_AT_ONCE = 4;
/** A provider may be out for minutes; what is left for the night should not give up. */
const PATIENCE = "10m";

/** The job of a copy. */
export async function copyJob(params: CopyParams, tuning: CopyTuning): Promise<AnyJob> {
  const { from, to, fromProfile, toProfile, include, exclude, newer, move, transform } = params;
  return defineJob({
    name: nameOf(params),
    key: copyKey(params),
    ...copy({
      from,
      to,
      include,
      exclude,
      move,
      ...(transform === null ? {} : { transform }),
      ...(tuning.transformTimeoutMs === undefined ? {} : { transformTimeout: tuning.transformTimeoutMs }),
      ...(fromProfile === null ? {} : { fromProfile }),
      ...(toProfile === null ? {} : { toProfile }),
      ...(newer === null ? {} : { newer: typeof newer === "string" ? new Date(newer) : newer }),
    }),
    ...(transform === null ? {} : await transformTextOf(transform)),
    throttle: throttlesOf(tuning.wait),
    shards: RANGES_AT_ONCE,
    patience: PATIENCE,
    ...tuning.job,
  }) as unknown as AnyJob;
}

/** A module that cannot be read is refused when the transform is first called. */
async function transformTextOf(module: string): Promise<{ readonly transformText?: string }> {
  const transformText = await readFile(module, "utf8").catch(() => null);
  return transformText === null ? {} : { transformText };
}
