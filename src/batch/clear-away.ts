import type { AnyJob } from "./job.ts";
import { openSink, type SinkPlace } from "./open-sink.ts";

/**
 * Clears away what a run that was given up needed, at its target and on this machine: uploads it had begun, checkpoints, the
 * listing. What it wrote stays. Nobody may be at work on it. Safe to repeat.
 */
export async function clearAway(job: AnyJob, run: string, place: SinkPlace): Promise<void> {
  const { sink } = await openSink(job, run, place);
  try {
    await sink.conclude("given up");
  } finally {
    await sink.close();
  }
}
