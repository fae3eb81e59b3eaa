import { cancel, pause } from "../batch/index.ts";
import type { RunRecord, Store } from "../store/contract.ts";

/** `pawl pause RUN` and `pawl cancel RUN`. */
export async function control(
  what: "pause" | "cancel",
  run: RunRecord,
  json: boolean,
  store: Store,
): Promise<void> {
  const after = what === "pause" ? await pause(store, run) : await cancel(store, run);
  if (json) {
    process.stdout.write(`${JSON.stringify({ run: after.id, state: after.state })}\n`);
    return;
  }
  const sentence: Record<string, string> = {
    pausing: "stops at its next checkpoints",
    paused: `is paused; go on with pawl resume ${after.id}`,
    cancelling: "stops at its next checkpoints, for good",
    cancelled: "is cancelled; what it wrote stays",
  };
  process.stdout.write(`run ${after.id} ${sentence[after.state] ?? `is ${after.state}`}\n`);
}
