import { setTimeout as sleep } from "node:timers/promises";
import { AT_REST, readProgress, summaryOf, workersOf } from "../batch/index.ts";
import { PawlError } from "../errors.ts";
import type { RunRecord, Store } from "../store/contract.ts";
import { exitCodeOf } from "./exit.ts";
import { progressView } from "./progress.ts";
import { printSummary } from "./summary.ts";

const LOOK_MS = 250;
/** A process that was just started detached needs a moment before it holds a lease. */
const ABANDONED_AFTER_MS = 15_000;

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
        printSummary(summary, progress, json);
        process.exitCode = exitCodeOf(summary);
        return;
      }
      if ((await workersOf(store, run.id)).length > 0) alone = performance.now();
      if (performance.now() - alone > ABANDONED_AFTER_MS) {
        throw new PawlError(
          "run.abandoned",
          `No process works on run ${run.id} any more: go on with pawl resume ${run.id}.`,
        );
      }
      await sleep(LOOK_MS);
    }
  } finally {
    view.stop();
  }
}
