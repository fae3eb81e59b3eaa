import type { RunRecord, Store } from "../../store/contract.ts";

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
