import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { assertResumable, type Place, prepare } from "../../batch/index.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { Store } from "../../store/index.ts";
import { giveTarget } from "../options/database.ts";
import { parsePairs } from "../options/parse.ts";
import { askedParams } from "./asked-params.ts";
import { type BeginFlags, begin } from "./begin.ts";
import { detach } from "./detach.ts";
import { executeAndShow } from "./execute.ts";
import { importJob, jobOf } from "./resolve-job.ts";

export interface RunFlags extends BeginFlags {
  param?: string[];
}

/** `pawl run JOB.ts`: begins the job's run, or resumes the one that was interrupted. */
export async function runJob(file: string, flags: RunFlags, store: Store, place: Place): Promise<void> {
  const path = resolve(file);
  const params = parsePairs(flags.param ?? [], "--param");
  const asked = askedParams(params);
  const job = await importJob(path, asked.params);
  await asked.check(path);
  const reference = { name: job.name, module: pathToFileURL(path).href, params };
  await begin({ job, reference, store, place, target: null }, flags);
}

/** `pawl resume RUN`: goes on with an interrupted run, or begins the one that was stored to run detached. */
export async function resume(
  run: RunRecord,
  flags: { detach?: boolean; json?: boolean; into?: string },
  store: Store,
  place: Place,
): Promise<void> {
  assertResumable(run);
  if (flags.into !== undefined) giveTarget(run, flags.into);
  if (flags.detach) {
    await detach(run.id, null, place, flags.json ?? false);
    return;
  }
  const job = await jobOf(run, store, place);
  const prepared = await prepare(job, { store, run, reference: run.job });
  await executeAndShow(prepared, place, flags.json ?? false);
}
