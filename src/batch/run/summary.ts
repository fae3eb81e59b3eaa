import type { RunState } from "../../store/contract.ts";
import type { RunProgress } from "./progress.ts";

/** What a run came to. */
export interface RunSummary {
  readonly run: string;
  readonly state: RunState;
  readonly read: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly quarantined: number;
  /** Items whose key came again later in the source. */
  readonly duplicates: number;
  /** Time worked, over all processes that worked on it. */
  readonly seconds: number;
  /** The most memory one process used, its threads included. */
  readonly peakMemoryBytes: number;
  /** Results a step returned beyond one for one; left out when there are none. */
  readonly added?: number;
  /** Rows that were deleted in the end because no item named them; left out where none were to be. */
  readonly deleted?: number;
  /** Why it is in this state; left out when there is nothing to say. */
  readonly note?: string;
}

export function summaryOf(progress: RunProgress): RunSummary {
  const { counts } = progress;
  return {
    run: progress.run,
    state: progress.state,
    read: counts.read,
    written: counts.written,
    unchanged: counts.unchanged,
    skipped: counts.skipped,
    quarantined: counts.quarantined,
    duplicates: counts.duplicates,
    seconds: Math.round(progress.activeMs) / 1000,
    peakMemoryBytes: progress.peakMemoryBytes,
    ...(counts.added > 0 ? { added: counts.added } : {}),
    ...(progress.deleted === undefined ? {} : { deleted: progress.deleted }),
    ...(progress.note === null ? {} : { note: progress.note }),
  };
}
