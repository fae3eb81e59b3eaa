import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "../../error-text.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import type { AnyJob } from "../job/job.ts";
import { execute } from "./execute.ts";
import { prepare } from "./prepare.ts";
import type { RunProgress } from "./progress.ts";

export interface TakePartOptions {
  readonly store: Store;
  /** A folder for large intermediate files. */
  readonly scratch: string;
  /** The job of a run where this process has it; null where it has not. */
  jobOf(run: RunRecord): Promise<AnyJob | null>;
  /** Hands back what this process works on, at its last checkpoints, and ends. */
  readonly signal: AbortSignal;
  /** How long a claim is good for, in milliseconds; default 15,000. */
  readonly leaseMs?: number;
  onJoin?(run: RunRecord): void;
  /** The run has come to rest, or this process leaves it. */
  onRest?(run: RunRecord, progress: RunProgress): void;
  /** A run could not be joined; it is not tried again. */
  onRefused?(run: RunRecord, error: unknown): void;
  onNote?(note: string): void;
}

/** How often this process looks for runs. */
const POLL_MS = 1_000;
/** How many of the newest runs are considered. */
const NEWEST = 100;

/**
 * Takes part in the runs that other processes have begun, as far as this process has their jobs, until the signal aborts.
 * A run does not depend on such helpers: what one of them held when it died is claimed by another process, as with any task.
 * A process that begins the same work instead is refused (`run.busy`, resume.ts).
 */
export async function takePartInRuns(options: TakePartOptions): Promise<void> {
  const { store, signal } = options;
  const joined = new Map<string, Promise<void>>();
  const refused = new Set<string>();
  while (!signal.aborted) {
    const runs = await store.runs({ limit: NEWEST }).catch((error: unknown) => {
      options.onNote?.(`trouble: ${errorText(error)}`);
      return [];
    });
    for (const run of runs) {
      if (run.state !== "running" || joined.has(run.id) || refused.has(run.id)) continue;
      const taking = takePart(run, options)
        .catch((error: unknown) => {
          refused.add(run.id);
          options.onRefused?.(run, error);
        })
        .finally(() => joined.delete(run.id));
      joined.set(run.id, taking);
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
  await Promise.all(joined.values());
}

async function takePart(run: RunRecord, options: TakePartOptions): Promise<void> {
  const { store, scratch, signal, leaseMs, onNote } = options;
  const job = await options.jobOf(run);
  if (job === null) return;
  const prepared = await prepare(job, { store, run, reference: run.job, takesPart: true });
  options.onJoin?.(run);
  const progress = await execute(prepared, {
    scratch,
    leave: signal,
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(onNote === undefined ? {} : { onNote }),
  });
  options.onRest?.(run, progress);
}
