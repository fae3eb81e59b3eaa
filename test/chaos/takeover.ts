import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { type Ground, LEASE_MS } from "./ground.ts";
import type { Loader } from "./loader.ts";
import { expect } from "./mismatch.ts";
import { resultOf, type Summary } from "./result.ts";

const PATIENCE_MS = 45_000;

/**
 * Leaves a loader stopped past its lease while the command is given again, until the second loader has taken the
 * work over; then lets the first one go on. What it had under way must not be committed: the audit shows it as a second effect.
 */
export async function takeOver(
  stage: Ground,
  first: Loader,
  fault: Fault,
  start: () => Loader,
): Promise<{ next: Loader | null; summary: Summary | null }> {
  const stoppedAt = Date.now();
  let second = start();
  let summary: Summary | null = null;
  for (;;) {
    const waited = Date.now() - stoppedAt;
    if (!second.alive) {
      const ended = await second.ended;
      const result = resultOf(ended);
      if (result.kind === "done") summary = result.summary;
      if (summary) break;
      // Stopped in the middle of a write to the store, it holds the file's lock for as long as it is stopped.
      if (/another process has been writing to it/.test(ended.stderr)) {
        first.signal("SIGCONT");
        return { next: null, summary: null };
      }
      expect(result.kind === "busy", () => `the second loader ended: ${ended.stderr}`);
      await sleep(200);
      second = start();
    }
    // Earlier it might be done before the second looks, which then rightly begins from the start.
    if (fault.until === "takeover" && waited > LEASE_MS && (await stage.committedBy(second)) > 0) break;
    expect(
      waited < PATIENCE_MS,
      () => `no process took over from a loader that was stopped ${waited} ms ago`,
    );
    await sleep(20);
  }
  first.signal("SIGCONT");
  return { next: second.alive ? second : null, summary };
}
