import type { Lease, QuarantinedItem, RunStore } from "../../store/contract.ts";
import type { Checkpoint, Failure, WriteOutcome } from "../contract.ts";
import type { PreparedChunk } from "../transform/prepared-chunk.ts";
import { assertOutcome } from "./account.ts";

/** Failures by item of the source's chunk: an item whose results failed twice is one failed item. */
function failuresBySource(
  prepared: PreparedChunk,
  outcome: WriteOutcome,
): { items: Failure[]; merged: number } {
  const byIndex = new Map<number, Failure>();
  let merged = 0;
  for (const failure of prepared.failures) byIndex.set(failure.index, failure);
  for (const failure of outcome.failures) {
    const index = prepared.sourceIndex(failure.index);
    const known = byIndex.get(index);
    if (known) merged++;
    byIndex.set(
      index,
      known ? { ...known, reason: `${known.reason}; ${failure.reason}` } : { ...failure, index },
    );
  }
  return { items: [...byIndex.values()].sort((a, b) => a.index - b.index), merged };
}

/** Where failed items are put away, and under which claim. */
export interface ChunkOrigin {
  readonly store: RunStore;
  readonly run: string;
  readonly shard: number;
  readonly lease: Lease;
}

/**
 * What belongs in the same commit as a chunk's effect: its failed items are put away first (durably, so that no
 * crash can lose them; a redo overwrites them), then the checkpoint that counts them is returned.
 */
export async function buildCheckpoint(
  { store, run, shard, lease }: ChunkOrigin,
  before: Checkpoint,
  prepared: PreparedChunk,
  outcome: WriteOutcome,
): Promise<Checkpoint> {
  assertOutcome(prepared.output, outcome);
  const { items: failures, merged } = failuresBySource(prepared, outcome);
  const { counts } = before;
  if (failures.length > 0) {
    const items: QuarantinedItem[] = [];
    for (const failure of failures) {
      const origin = await prepared.source.origin(failure.index);
      items.push({
        shard,
        ordinal: counts.read + failure.index,
        raw: origin.raw,
        at: origin.at,
        reason: failure.reason,
        code: failure.code ?? null,
      });
    }
    await store.quarantine(run, shard, counts.read, items, lease);
  }
  return {
    cursor: prepared.source.end,
    done: false,
    counts: {
      read: counts.read + prepared.source.items,
      added: counts.added + prepared.added - merged,
      written: counts.written + outcome.written,
      unchanged: counts.unchanged + outcome.unchanged,
      skipped: counts.skipped + prepared.skipped + outcome.skipped,
      quarantined: counts.quarantined + failures.length,
      duplicates: counts.duplicates + outcome.duplicates,
      bytes: counts.bytes + prepared.source.bytes,
    },
  };
}
