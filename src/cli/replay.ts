import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { markMended, openItems, type Place, prepare } from "../batch/index.ts";
import { csv } from "../connect/csv/index.ts";
import { PawlError } from "../errors.ts";
import type { JobReference, RunRecord, Store } from "../store/contract.ts";
import { executeAndShow } from "./follow.ts";
import { jobOf, REPLAY_MODULE, type ReplayParams } from "./resolve-job.ts";

/** `pawl replay RUN [--from mended.csv]`: a run of its own over what another run quarantined. */
export async function replay(
  run: RunRecord,
  flags: { json?: boolean; from?: string },
  store: Store,
  place: Place,
): Promise<void> {
  const from = flags.from === undefined ? null : resolve(flags.from);
  if (from !== null) {
    await access(from).catch(() => {
      throw new PawlError("replay.from", `There is no file ${flags.from} to replay from.`);
    });
  }
  if ((await store.quarantineCount(run.id, { openOnly: true })) === 0) {
    throw new PawlError("replay.nothing", `Run ${run.id} has no quarantined items that wait to be mended.`);
  }
  const params: ReplayParams = { of: run.id, from };
  const reference: JobReference = {
    name: `replay of ${run.job.name}`,
    module: REPLAY_MODULE,
    params: { ...params },
  };
  const job = await jobOf({ ...run, job: reference }, store, place);
  const prepared = await prepare(job, { store, reference, replayOf: run.id });
  await executeAndShow(prepared, place, flags.json ?? false);
  await closeMended(prepared.run.id, store);
}

/** After a replay: what it wrote no longer waits in the run it came from. Safe to repeat. */
export async function closeMended(replayId: string, store: Store): Promise<void> {
  const replayRun = await store.run(replayId);
  if (replayRun?.state !== "succeeded" || replayRun.job.module !== REPLAY_MODULE) return;
  const { of, from } = replayRun.job.params as unknown as ReplayParams;
  const numbers: number[] = [];
  if (from === null) {
    for await (const item of openItems(store, of)) numbers.push(item.number);
  } else {
    for await (const number of mendedRows(from)) numbers.push(number);
  }
  await markMended(store, replayId, numbers);
}

/** The `pawl_row` of each row of a mended file, in order. */
async function* mendedRows(from: string): AsyncGenerator<number, void, undefined> {
  const source = csv(from);
  const options = { signal: new AbortController().signal, scratch: "", memory: 0 };
  const { shards } = await source.shards(1, { kind: "total" }, options);
  for (const shard of shards) {
    for await (const chunk of source.read(shard, null, { items: 10_000, bytes: 1 << 20 }, options.signal)) {
      for await (const slice of chunk.slices()) {
        for (const row of slice) yield row instanceof Error ? -1 : Number(row.pawl_row ?? -1);
      }
    }
  }
}
