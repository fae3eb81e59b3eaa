import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobModule } from "../../batch/index.ts";
import { type AnyJob, replayJob } from "../../batch/internal.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import type { StateLocation } from "../../store/internal.ts";
import type { BackfillParams, BackfillTuning } from "../backfill/job.ts";
import type { CopyParams, CopyTuning } from "../copy/job.ts";
import type { LoadParams, StoredLoad } from "../load/job.ts";
import { storedDatabase } from "../options/database.ts";
import { firstLine, importModule } from "../options/module.ts";
import { BACKFILL_MODULE, COPY_MODULE, LOAD_MODULE, REPLAY_MODULE } from "./built-in-jobs.ts";

export interface ReplayParams {
  /** The run whose quarantine is replayed. */
  readonly of: string;
  /** A fixed file; null replays the items as they were. */
  readonly from: string | null;
}

/**
 * Finds the job of a stored run again: a load, a backfill, a copy or a replay by its parameters, any other by its module.
 * Imports what that one is made of, and not the others.
 */
export async function jobOf(run: RunRecord, store: Store, location: StateLocation): Promise<AnyJob> {
  const { module, params, name } = run.job;
  if (module === LOAD_MODULE) {
    const { tuning, ...load } = params as unknown as StoredLoad;
    const { loadJob } = await import("../load/job.ts");
    return await loadJob(load, tuning, await storedDatabase(load.into, location));
  }
  if (module === BACKFILL_MODULE) {
    const { tuning, ...backfill } = params as unknown as BackfillParams & { tuning: BackfillTuning };
    const { backfillJob } = await import("../backfill/job.ts");
    return await backfillJob(backfill, tuning, await storedDatabase(backfill.into, location));
  }
  if (module === COPY_MODULE) {
    const { tuning, ...what } = params as unknown as CopyParams & { tuning: CopyTuning };
    const { copyJob } = await import("../copy/job.ts");
    return await copyJob(what, tuning);
  }
  if (module === REPLAY_MODULE) return await replayOf(params as unknown as ReplayParams, store, location);
  if (module === null) {
    throw new PawlError(
      "run.no-module",
      `Run ${run.id} of job "${name}" was begun by a program, which has to be started again to resume it; give run() a module to make it known to pawl.`,
    );
  }
  return await importJob(fileURLToPath(module), params as Record<string, string>);
}

async function replayOf({ of, from }: ReplayParams, store: Store, location: StateLocation): Promise<AnyJob> {
  const original = await store.run(of);
  if (original === undefined) throw new PawlError("run.unknown", `Run ${of} is no longer in the store.`);
  const job = await jobOf(withDialect(original), store, location);
  if (from === null) return replayJob(store, original, job);
  if (original.job.module !== LOAD_MODULE) {
    throw new PawlError(
      "replay.from",
      `--from replays rows of a load, and run ${of} is "${original.job.name}".`,
    );
  }
  const { fixedItems } = await import("../quarantine/fixed-file.ts");
  const fixed = fixedItems(from, original.job.params as unknown as StoredLoad);
  return { ...replayJob(store, original, job, fixed), key: `replay of ${of} from ${from}` };
}

/** A load whose input is described by what was found when it ran: the input itself may be gone, or be a pipe. */
function withDialect(run: RunRecord): RunRecord {
  const { dialect } = run.details as unknown as { dialect: { delimiter: string; columns: string[] } | null };
  if (run.job.module !== LOAD_MODULE || dialect === null) return run;
  const params = run.job.params as unknown as LoadParams;
  const { delimiter, columns } = dialect;
  const described = { ...params, csv: { ...params.csv, delimiter, columns } };
  return { ...run, job: { ...run.job, params: described as unknown as RunRecord["job"]["params"] } };
}

/** Whether the module may be one that `pawl run` is given. */
export function mayMakeJob(module: unknown): boolean {
  const exported = (module as { default?: unknown }).default;
  return typeof exported === "function" || isJob(exported);
}

/** The job of a run that was begun with one of these modules, perhaps on another machine; otherwise null. */
export async function jobAmong(modules: readonly string[], run: RunRecord): Promise<AnyJob | null> {
  const { module, name, params } = run.job;
  if (module === null || !module.startsWith("file:")) return null;
  const path = modules.find((each) => basename(each) === basename(fileURLToPath(module)));
  if (path === undefined) return null;
  const job = await importJob(path, params as Record<string, string>);
  return job.name === name ? job : null;
}

/** Imports a module whose default export is a job, or a function from parameters to a job. */
export async function importJob(path: string, params: Readonly<Record<string, string>>): Promise<AnyJob> {
  const module = (await importModule(path, "The job module")) as { default?: JobModule };
  const exported = module.default;
  const job = typeof exported === "function" ? await made(exported, params, path) : exported;
  if (!isJob(job)) {
    throw new PawlError(
      "job.export",
      `${path} must export a job by default: export default defineJob({ … }).`,
    );
  }
  return job;
}

function isJob(exported: unknown): exported is AnyJob {
  return typeof exported === "object" && exported !== null && "source" in exported && "sink" in exported;
}

async function made(
  make: Extract<JobModule, (...args: never) => unknown>,
  params: Readonly<Record<string, string>>,
  path: string,
): Promise<AnyJob> {
  try {
    return await make(params);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new PawlError("job.export", `The job module ${path} could not make its job: ${firstLine(why)}.`, {
      cause: error,
    });
  }
}
