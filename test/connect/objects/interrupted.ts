import assert from "node:assert/strict";
import { defineJob, type Job, type RunSummary, run } from "../../../src/batch/index.ts";
import type { AnyJob } from "../../../src/batch/internal.ts";
import { type CopyOptions, copy } from "../../../src/connect/objects/index.ts";
import type { Store } from "../../../src/store/index.ts";
import { until } from "../../cli/scene.ts";

/** A copy that stops after two of its four ranges, after which something happens, and is gone on with. */
export async function interruptedCopy(
  options: CopyOptions,
  { store, meanwhile, step }: { store: Store; meanwhile: () => Promise<unknown>; step?: AnyJob["transform"] },
): Promise<RunSummary> {
  const stop = new AbortController();
  const job = (throttle: NonNullable<AnyJob["throttle"]>) => {
    const ends = { ...copy(options), ...(step ? { transform: step } : {}) } as Pick<
      AnyJob,
      "source" | "sink" | "transform"
    >;
    return defineJob({ name: options.to, ...ends, shards: 1, throttle } as Job<unknown, unknown>);
  };
  let asked = 0;
  const first = await run(
    job([
      async (signal) => {
        // At the beginning of each range and before its chunk.
        if (++asked > 4) {
          stop.abort();
          await until("the range is told to stop", () => signal.aborted);
        }
        return null;
      },
    ]),
    { store, signal: stop.signal },
  ).summary();
  assert.equal(first.state, "paused");
  assert.ok(first.read > 0);
  await meanwhile();
  return await run(job([]), { store }).summary();
}
