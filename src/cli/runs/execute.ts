import type { RunSummary } from "../../batch/index.ts";
import { execute, type PreparedRun, summaryOf } from "../../batch/internal.ts";
import type { StateLocation } from "../../store/internal.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { INTO_VARIABLE } from "../options/database.ts";
import { withFlagsOf } from "../options/flag-names.ts";
import { originOf } from "../quarantine/origin.ts";
import { againEndsAtOnce, endAnyway, onStopRequest, sayLate } from "../shutdown.ts";
import { progressView } from "../terminal/progress.ts";
import { followupOf, printSummary } from "./summary.ts";

/** How long work that ignores the abort may hold the process, in milliseconds. */
const LEAVE_MS = 500;

/**
 * Works on a prepared run in this process, shows it, and prints its result. The first Ctrl-C stops at the next
 * checkpoints, the second at once. `url` is that of the run's database. Returns the summary and sets the exit code.
 */
export async function executeAndShow(
  prepared: PreparedRun,
  location: StateLocation,
  json: boolean,
  url: string | null = process.env[INTO_VARIABLE] ?? null,
): Promise<RunSummary> {
  const view = await progressView(json);
  const interrupt = new AbortController();
  const { stopListening } = onStopRequest(
    (reason) => {
      interrupt.abort();
      const say = (sentence: string) => view.note(sentence);
      say(`stopping at the next checkpoint${againEndsAtOnce(reason)}`);
      // A person at a terminal may ask again; a service manager kills.
      if (reason === "SIGINT") sayLate(say);
      else endAnyway(say);
    },
    () => view.stop(),
  );
  try {
    if (prepared.resumed)
      view.note(
        `resuming run ${prepared.run.id} where it stopped (--restart starts again from the beginning)`,
      );
    else view.note(`run ${prepared.run.id}`);
    const { job } = await originOf(prepared.run, prepared.store);
    for (const note of prepared.notes) view.note(withFlagsOf(job, note));
    const lease = Number(process.env.PAWL_LEASE_MS);
    const progress = await execute(prepared, {
      scratch: location.runs,
      signal: interrupt.signal,
      onProgress: (now) => view.update(now),
      onNote: (note) => view.note(withFlagsOf(job, note)),
      ...(lease > 0 ? { leaseMs: lease } : {}),
    });
    view.update(progress);
    view.stop();
    const summary = summaryOf(progress);
    printSummary(summary, progress, await followupOf(prepared.run, prepared.store, url), json);
    process.exitCode = exitCodeOf(summary);
    // A source or a transform that ignores the abort signal may hold this process, and no result of it is waited for.
    if (summary.state !== "succeeded") setTimeout(() => process.exit(), LEAVE_MS).unref();
    return summary;
  } catch (error) {
    // What works on a store that takes nothing may not end, and was told to.
    if (interrupt.signal.aborted) setTimeout(() => process.exit(), LEAVE_MS).unref();
    throw error;
  } finally {
    view.stop();
    stopListening();
  }
}
