import { setTimeout as sleep } from "node:timers/promises";
import { AT_REST, readProgress, summaryOf, workersOf } from "../../batch/internal.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { progressView } from "../terminal/progress.ts";
import { followupOf, printSummary } from "./summary.ts";

const LOOK_MS = 250;
/** A process that was just started detached needs a moment before it holds a lease. */
const ABANDONED_AFTER_MS = 15_000;

/** The run that is under way, where it is the only one. */
export async function onlyRunning(store: Store): Promise<RunRecord> {
  const unfinished = (await store.runs({})).filter(({ state }) => !AT_REST.has(state));
  const worked: RunRecord[] = [];
  for (const one of unfinished) {
    // One that was begun detached is not worked on yet; one whose process was killed, no more.
    if (one.state === "pending" || (await workersOf(store, one.id)).length > 0) worked.push(one);
  }
  const running = worked.length > 0 ? worked : unfinished;
  const [run] = running;
  if (run === undefined)
    throw new PawlError("run.none", "No run is under way: pawl status shows what there was.");
  if (running.length === 1) return run;
  const ids = running.map(({ id, job }) => `${id} (${job.name})`).join(", ");
  throw new PawlError("run.ambiguous", `Several runs are under way: say which of ${ids}.`);
}

/** `pawl attach RUN`: follows a run that another process works on. Ctrl-C leaves the run alone. */
export async function attach(run: RunRecord, json: boolean, store: Store): Promise<void> {
  const view = await progressView(json);
  let alone = performance.now();
  try {
    for (;;) {
      const record = await store.run(run.id);
      if (record === undefined)
        throw new PawlError("run.unknown", `Run ${run.id} is no longer in the store.`);
      const progress = await readProgress(store, record);
      view.update(progress);
      if (AT_REST.has(record.state)) {
        view.stop();
        const summary = summaryOf(progress);
        printSummary(summary, progress, await followupOf(record, store), json);
        process.exitCode = exitCodeOf(summary);
        return;
      }
      if ((await workersOf(store, run.id)).length > 0) alone = performance.now();
      if (performance.now() - alone > ABANDONED_AFTER_MS) {
        throw new PawlError(
          "run.abandoned",
          `No process works on run ${run.id} any more: continue with ${nextCommand(["resume", run.id])}.`,
        );
      }
      await sleep(LOOK_MS);
    }
  } finally {
    view.stop();
  }
}
