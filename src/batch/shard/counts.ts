import type { Checkpoint, Counts } from "../contract.ts";

export const NO_COUNTS: Counts = {
  read: 0,
  added: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  quarantined: 0,
  duplicates: 0,
  bytes: 0,
};

/** Where a shard stands before its first chunk. */
export const START: Checkpoint = { cursor: null, counts: NO_COUNTS, done: false };

function addCounts(a: Counts, b: Counts): Counts {
  return {
    read: a.read + b.read,
    added: a.added + b.added,
    written: a.written + b.written,
    unchanged: a.unchanged + b.unchanged,
    skipped: a.skipped + b.skipped,
    quarantined: a.quarantined + b.quarantined,
    duplicates: a.duplicates + b.duplicates,
    bytes: a.bytes + b.bytes,
  };
}

export function sumCounts(all: Iterable<Counts>): Counts {
  let sum = NO_COUNTS;
  for (const counts of all) sum = addCounts(sum, counts);
  return sum;
}
