import { rm } from "node:fs/promises";
import type { RunRecord } from "../../store/contract.ts";
import type { AnyJob } from "../job/job.ts";
import { placeDifference } from "./identity.ts";
import { keptFolder, openSink, type SinkPlace } from "./open-sink.ts";

/**
 * Clears away what a run that was given up needed, at its target and on this machine: uploads it had begun, checkpoints, the
 * listing. What it wrote stays. Where the sink leads to other places by now, only on this machine. Nobody may be at work on it. Safe
 * to repeat.
 */
export async function clearAway(job: AnyJob, run: RunRecord, place: SinkPlace): Promise<void> {
  if ((await placeDifference(run, job.sink)) !== null) {
    await rm(keptFolder(place.runs, run.id), { recursive: true, force: true });
    return;
  }
  const { sink } = await openSink(job, run.id, place);
  try {
    await sink.conclude("given up");
  } finally {
    await sink.close();
  }
}
