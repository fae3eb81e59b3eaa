import type { RunRecord, Store } from "../../store/contract.ts";

/**
 * The run that a replay, or a replay of a replay, goes back to. Only that run has the items in its quarantine: otherwise one item could be
 * replayed by way of the replay and once more by way of the run.
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
