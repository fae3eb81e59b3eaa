/** In which order tasks are claimed: by priority, then by due time, then in order of enqueueing. */

/** One of several tasks that may be claimed. */
export interface Candidate {
  readonly seq: number;
  readonly priority: number;
  readonly due: number;
  readonly bucket: string | null;
}

/**
 * The first `n` in the order of claims, and of each bucket no more than `left` of it, which is counted down: a bucket with
 * tasks in several queues has one rate for all of them.
 */
export function firstInOrder<C extends Candidate>(
  candidates: readonly C[],
  n: number,
  left: Map<string, number>,
): C[] {
  const chosen: C[] = [];
  for (const candidate of candidates.toSorted(byClaimOrder)) {
    if (chosen.length >= n) break;
    if (candidate.bucket !== null) {
      const room = left.get(candidate.bucket) ?? 0;
      if (room <= 0) continue;
      left.set(candidate.bucket, room - 1);
    }
    chosen.push(candidate);
  }
  return chosen;
}

export function byClaimOrder(a: Omit<Candidate, "bucket">, b: Omit<Candidate, "bucket">): number {
  return b.priority - a.priority || a.due - b.due || a.seq - b.seq;
}
