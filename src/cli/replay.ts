import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { markMended, openItems, type Place, prepare } from "../batch/index.ts";
import { PawlError } from "../errors.ts";
import type { JobReference, RunRecord, Store } from "../store/contract.ts";
import { executeAndShow } from "./follow.ts";
import type { LoadParams } from "./load-job.ts";
import { checkMended, mendedNumbers } from "./mended.ts";
import { jobOf, REPLAY_MODULE, type ReplayParams } from "./resolve-job.ts";
import { giveTarget } from "./target.ts";

/**
 * The run that a replay, or a replay of a replay, goes back to. Items wait to be mended there only: else one that is
 * mended by way of the replay could be replayed once more.
 */
export async function originOf(run: RunRecord, store: Store): Promise<RunRecord> {
  let origin = run;
  while (origin.replayOf !== null) {
    const before = await store.run(origin.replayOf);
    if (before === undefined) break;
    origin = before;
  }
  return origin;
}

/** `pawl replay RUN [--from mended.csv]`: a run of its own over what another run quarantined. */
export async function replay(
  named: RunRecord,
  flags: { json?: boolean; from?: string; into?: string; restart?: boolean },
  store: Store,
  place: Place,
): Promise<void> {
  const run = await originOf(named, store);
  const from = flags.from === undefined ? null : resolve(flags.from);
  if (from !== null) {
    await access(from).catch(() => {
      throw new PawlError("replay.from", `There is no file ${flags.from} to replay from.`);
    });
  }
  if ((await store.quarantineCount(run.id, { openOnly: true })) === 0) {
    throw new PawlError("replay.nothing", `Run ${run.id} has no quarantined items that wait to be mended.`);
  }
  if (flags.into !== undefined) giveTarget(run, flags.into);
  const params: ReplayParams = { of: run.id, from };
  const reference: JobReference = {
    name: `replay of ${run.job.name}`,
    module: REPLAY_MODULE,
    params: { ...params },
  };
  const job = await jobOf({ ...run, job: reference }, store, place);
  if (from !== null) await checkMended(run, from, store);
  const restart = flags.restart ?? false;
  const prepared = await prepare(job, { store, reference, replayOf: run.id, restart });
  await executeAndShow(prepared, place, flags.json ?? false);
  await closeMended(prepared.run.id, store);
}

/** After a replay: what it wrote no longer waits in the run it came from. */
export async function closeMended(replayId: string, store: Store): Promise<void> {
  const replayRun = await store.run(replayId);
  if (replayRun?.state !== "succeeded" || replayRun.job.module !== REPLAY_MODULE) return;
  const { of, from } = replayRun.job.params as unknown as ReplayParams;
  const numbers: number[] = [];
  if (from === null) {
    for await (const item of openItems(store, of)) numbers.push(item.number);
  } else {
    const original = await store.run(of);
    const load = original?.job.params as unknown as LoadParams;
    for await (const number of mendedNumbers(from, load)) numbers.push(number);
  }
  await markMended(store, replayId, numbers);
}
