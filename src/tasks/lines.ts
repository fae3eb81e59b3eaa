import { availableParallelism } from "node:os";
import { PawlError } from "../errors.ts";
import type { Claim } from "../store/contract.ts";

/** Queues that share slots: claimed from together, and never more at once than there are slots. */
export interface Line {
  readonly queues: readonly string[];
  readonly slots: number;
  /** Attempts that run. */
  running: number;
  /** Slots that are kept free for a claim under way. */
  reserved: number;
  /** Tasks that were asked for and are not here yet. */
  coming: number;
  /** Claimed ahead, in order. */
  readonly ahead: Claim[];
  /** When a free slot is next offered to the lanes. */
  nextLanes: number;
}

/** Queues that share the worker's slots, or each with slots of its own: then a full one never holds up another. */
export type Queues = readonly string[] | Readonly<Record<string, number>>;

/** Throws a PawlError `worker.queues` where there is no queue or no slot. */
export function linesOf(queues: Queues, concurrency: number = availableParallelism()): Line[] {
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
      `A worker needs queues, each with a whole number of slots of at least 1: ${JSON.stringify(queues)} will not do.`,
    );
  }
  if (lines.length === 0)
    throw new PawlError("worker.queues", "A worker needs at least one queue to claim from.");
  return lines.map((line) => ({ ...line, running: 0, reserved: 0, coming: 0, ahead: [], nextLanes: 0 }));
}

/** How many more tasks to claim for a line. Those claimed ahead are refilled when half of them are gone. */
export function roomOf({ slots, running, ahead, coming }: Line, prefetch: number): number {
  const free = slots - running - ahead.length - coming;
  if (prefetch === 0 || free > 0) return Math.max(0, free + prefetch);
  return (ahead.length + coming) * 2 <= prefetch ? prefetch - ahead.length - coming : 0;
}

/** So many are claimed at a time where one half can be claimed while the other is worked on. */
export function halfOf({ slots }: Line, prefetch: number): number {
  return Math.ceil((slots + prefetch) / 2);
}

/** How many to claim while those that were just claimed begin; none where that would be few. */
export function roomBeside(line: Line, prefetch: number): number {
  const half = halfOf(line, prefetch);
  const room = line.slots + prefetch - line.running - line.ahead.length - line.coming;
  return room * 2 >= half ? Math.min(room, half) : 0;
}
