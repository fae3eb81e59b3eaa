import { cancel, clearAway, pause } from "../../batch/internal.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import type { StateLocation } from "../../store/internal.ts";
import { jsonText, visible } from "../../visible.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { print, tell } from "../terminal/output.ts";

/** `pawl pause RUN` and `pawl cancel RUN`. */
export async function control(
  what: "pause" | "cancel",
  run: RunRecord,
  json: boolean,
  { store, location }: { readonly store: Store; readonly location: StateLocation },
): Promise<void> {
  const after = what === "pause" ? await pause(store, run) : await cancel(store, run);
  // Otherwise the process that is at work does it.
  if (after.state === "cancelled") await clear(after, store, location);
  if (json) {
    print(jsonText({ run: after.id, state: after.state }));
    return;
  }
  const sentence: Record<string, string> = {
    pausing: "stops at its next checkpoints",
    paused: `is paused; continue with ${nextCommand(["resume", after.id])}`,
    cancelling: "stops at its next checkpoints, for good",
    cancelled: "is cancelled; what it wrote stays",
  };
  print(`run ${after.id} ${sentence[after.state] ?? `is ${after.state}`}`);
}

/** It is cancelled all the same where that does not succeed: the target may be gone, and so may what was read. */
async function clear(run: RunRecord, store: Store, location: StateLocation): Promise<void> {
  // What a program began only that program can find again.
  if (run.job.module === null) return;
  try {
    const { jobOf } = await import("./resolve-job.ts");
    const job = await jobOf(run, store, location);
    const source = await job.source.describe();
    await clearAway(job, run, { source, runs: location.runs, signal: new AbortController().signal });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    tell(`pawl: What run ${run.id} had begun at its target could not be cleared away: ${visible(why)}`);
  }
}
