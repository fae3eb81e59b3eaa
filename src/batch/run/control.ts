import { PawlError } from "../../errors.ts";
import type { RunRecord, RunState, Store } from "../../store/contract.ts";
import { liveWorkers, POISON_AFTER, RUN_QUEUES, rescueOrphans } from "../../tasks/internal.ts";
import { finalizeRun } from "./finalize.ts";

export const UNFINISHED: readonly RunState[] = [
  "pending",
  "running",
  "pausing",
  "paused",
  "cancelling",
  "failed",
];

/** The queue of a run: only processes that have its job claim from it. */
export function queueOf(run: string): string {
  return `${RUN_QUEUES}${run}`;
}

/** The run whose queue this is; null where it belongs to no run. */
export function runOfQueue(queue: string): string | null {
  return queue.startsWith(RUN_QUEUES) ? queue.slice(RUN_QUEUES.length) : null;
}

/** The live workers that hold leases of a run. Leases of dead workers are taken back first. */
export async function workersOf(store: Store, run: string): Promise<readonly string[]> {
  await rescueOrphans(store, POISON_AFTER);
  return await liveWorkers(store, { flow: run });
}

async function ask(
  store: Store,
  run: RunRecord,
  from: readonly RunState[],
  to: RunState,
  note: string,
): Promise<RunRecord> {
  if (!(await store.updateRun(run.id, from, { state: to, note }))) {
    const now = (await store.run(run.id))?.state ?? "gone";
    const verb = to === "pausing" ? "pause" : "cancel";
    throw new PawlError("run.state", `Run ${run.id} is ${now} already: there is nothing to ${verb}.`);
  }
  // If no process is at work on the run, or the one that was asked before has died, this process must finalize it.
  if ((await workersOf(store, run.id)).length === 0) await finalizeRun(store, run.id, null);
  return (await store.run(run.id)) ?? run;
}

/** Asks a run to stop at its next checkpoints. It can be resumed. Each process at work sees it in `atRest` of execute.ts. */
export async function pause(store: Store, run: RunRecord, note = "paused by the user"): Promise<RunRecord> {
  return await ask(store, run, ["pending", "running", "pausing"], "pausing", note);
}

/**
 * Asks a run to stop at its next checkpoints for good. What it wrote stays. Where a process is at work it clears away what
 * the run needed; where none is the run is `cancelled` at once, and `clearAway` does that.
 */
export async function cancel(
  store: Store,
  run: RunRecord,
  note = "cancelled by the user",
): Promise<RunRecord> {
  const from: readonly RunState[] = ["pending", "running", "pausing", "paused", "failed", "cancelling"];
  return await ask(store, run, from, "cancelling", note);
}

/** Refuses to continue a run that has ended. */
export function assertResumable(run: RunRecord): void {
  if (run.state === "cancelling") {
    throw new PawlError(
      "run.state",
      `Run ${run.id} is being cancelled and cannot be resumed: say pawl cancel ${run.id} again if no process is left that could end it.`,
    );
  }
  if (run.state !== "cancelled" && run.state !== "succeeded") return;
  const ended = run.state === "cancelled" ? "been cancelled" : run.state;
  throw new PawlError("run.state", `Run ${run.id} has ${ended} and cannot be resumed.`);
}

/** Makes an interrupted run ready to be worked on: its shards may be claimed again. */
export async function reopen(store: Store, run: RunRecord): Promise<void> {
  assertResumable(run);
  if (run.state !== "pending") await store.updateRun(run.id, UNFINISHED, { state: "running", note: null });
  await store.makeClaimable({ flow: run.id });
}
