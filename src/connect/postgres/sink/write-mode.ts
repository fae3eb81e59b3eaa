import type { Failure, WriteOutcome } from "../../../batch/contract.ts";

/** How one chunk goes into its table: by one write mode, or by several that are tried one after the other. */
export interface ChunkWrite {
  /** How many items the chunk has; where that shows only as they are changed, after `apply`. */
  readonly items: number;
  /** Before the transaction begins: makes what is to outlive a rollback. */
  prepare(): Promise<void>;
  /** Leaves the effect in the open transaction. */
  apply(): Promise<WriteOutcome>;
  /**
   * After an error: whether another write mode may help, by which `apply` writes then in a new transaction. Rejections of
   * `apply` are the server's own errors.
   */
  changeMode(error: unknown): boolean;
  committed(): void;
}

export const NOTHING: WriteOutcome = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] };

export function total(outcomes: readonly WriteOutcome[]): WriteOutcome {
  const sum = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] as Failure[] };
  for (const outcome of outcomes) {
    sum.written += outcome.written;
    sum.unchanged += outcome.unchanged;
    sum.skipped += outcome.skipped;
    sum.duplicates += outcome.duplicates;
    for (const failure of outcome.failures) sum.failures.push(failure);
  }
  return sum;
}
