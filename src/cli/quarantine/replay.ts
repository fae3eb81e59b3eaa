import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { prepare, UNFINISHED } from "../../batch/internal.ts";
import { PawlError } from "../../errors.ts";
import type { JobReference, RunRecord, Store } from "../../store/contract.ts";
import type { StateLocation } from "../../store/internal.ts";
import { type DatabaseFlags, giveDatabase } from "../options/database.ts";
import { forJob } from "../options/flag-names.ts";
import { REPLAY_MODULE } from "../runs/built-in-jobs.ts";
import { executeAndShow } from "../runs/execute.ts";
import { jobOf, type ReplayParams } from "../runs/resolve-job.ts";
import { checkFixedFile } from "./fixed-file.ts";
import { originOf } from "./origin.ts";

/** The flags of `pawl quarantine replay`, as the command line gives them. */
export interface ReplayFlags extends DatabaseFlags {
  readonly json?: boolean;
  readonly from?: string;
  readonly restart?: boolean;
}

/** `pawl quarantine replay RUN [--from fixed.csv]`: a run of its own over what another run quarantined. */
export async function replay(
  named: RunRecord,
  flags: ReplayFlags,
  store: Store,
  location: StateLocation,
): Promise<void> {
  const run = await originOf(named, store);
  const from = flags.from === undefined ? null : resolve(flags.from);
  if (from !== null) {
    await access(from).catch(() => {
      throw new PawlError("replay.from", `The file ${flags.from} to replay from does not exist.`);
    });
  }
  if ((await store.quarantineCount(run.id, { openOnly: true })) === 0) {
    throw new PawlError("replay.nothing", `Run ${run.id} has no items in quarantine.`);
  }
  await assertNoOther(run, from, store);
  giveDatabase(run, flags);
  const params: ReplayParams = { of: run.id, from };
  const reference: JobReference = {
    name: `replay of ${run.job.name}`,
    module: REPLAY_MODULE,
    params: { ...params },
  };
  await forJob(run.job, async () => {
    const job = await jobOf({ ...run, job: reference }, store, location);
    if (from !== null) await checkFixedFile(run, from, store);
    const restart = flags.restart ?? false;
    const prepared = await prepare(job, { store, reference, replayOf: run.id, restart });
    await executeAndShow(prepared, location, flags.json ?? false);
  });
}

/** What another, unfinished replay has written would be written once more: that one has to end first. */
async function assertNoOther(run: RunRecord, from: string | null, store: Store): Promise<void> {
  for (const other of await store.runs({})) {
    if (other.replayOf !== run.id || !UNFINISHED.includes(other.state)) continue;
    const params = other.job.params as unknown as ReplayParams;
    if (other.job.module !== REPLAY_MODULE || params.from === from) continue;
    const given = params.from === null ? "" : ` --from ${params.from}`;
    throw new PawlError(
      "replay.unfinished",
      `Run ${run.id} has an unfinished replay, ${other.id}${given}: resume it with pawl resume ${other.id}, or give it up with pawl cancel ${other.id}.`,
    );
  }
}
