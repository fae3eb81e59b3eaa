import { availableParallelism } from "node:os";
import { assertObject, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";

/** Queues that share the worker's slots, or each with slots of its own: then a full one never holds up another. */
export type Queues = readonly string[] | Readonly<Record<string, number>>;

/** Queues that share slots: claimed from together, and never more at once than there are slots. */
export interface QueuesOfLine {
  readonly queues: readonly string[];
  readonly slots: number;
}

/** Throws a PawlError `worker.queues` where there is no queue or no slot. */
export function linesOf(queues: Queues, concurrency: number = availableParallelism()): QueuesOfLine[] {
  assertObject(queues, "The queues of a worker");
  const lines = Array.isArray(queues)
    ? [{ queues: queues as readonly string[], slots: concurrency }]
    : Object.entries(queues as Readonly<Record<string, number>>).map(([queue, slots]) => ({
        queues: [queue],
        slots,
      }));
  for (const { slots, queues: names } of lines) {
    if (names.length > 0 && Number.isSafeInteger(slots) && slots >= 1) continue;
    throw new PawlError(
      "worker.queues",
      `A worker needs queues, each with a whole number of slots of at least 1: ${shown(queues)} will not do.`,
    );
  }
  if (lines.length === 0)
    throw new PawlError("worker.queues", "A worker needs at least one queue to claim from.");
  return lines;
}
