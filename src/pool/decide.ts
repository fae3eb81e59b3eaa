import type { Cost } from "./cost.ts";
import { packAll } from "./portable.ts";

/** What starting workers costs until they run a function as fast as this thread does, in milliseconds. */
const START_MS = 150;
/** Items that take longer, in milliseconds, block the caller's loop: they go to workers, even if these must start. */
const LONG_MS = 10;
/** Workers must promise to save this share of the time. */
const WORTH = 0.65;
/** A clone that takes this long, in milliseconds, says enough. */
const ENOUGH_MS = 0.2;
/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;

/** What a call has to go by when it chooses where its items run. */
export interface Prospect {
  readonly cost: Cost;
  /** Items still to run; Infinity when nobody knows. */
  readonly left: number;
  readonly workers: number;
  /** Workers are there already. */
  readonly warm: boolean;
  /** Milliseconds that the function took before this call. */
  readonly spentBefore: number;
}

/** Whether the rest had better go to workers. */
export function paysOff({ cost, left, workers, warm, spentBefore }: Prospect): boolean {
  const { itemMs, transportMs } = cost;
  if (itemMs === null || transportMs === null || workers < 2) return false;
  if (spread(itemMs, transportMs, workers) >= WORTH * itemMs) return false;
  if (warm) return true;
  // Who has spent here what starting costs, will probably spend it again.
  if (!Number.isFinite(left)) return cost.spentMs >= START_MS;
  return spentBefore >= START_MS || repaysStart(cost, left);
}

/** Whether so many items are enough for another worker to start and to gain what that takes from the others. */
export function repaysStart({ itemMs }: Cost, left: number): boolean {
  return itemMs !== null && left * itemMs >= 2 * START_MS;
}

/** Whether the items must not stay here until workers have started. */
export function blocks({ itemMs }: Cost): boolean {
  return itemMs !== null && itemMs > LONG_MS;
}

/** Milliseconds an item with workers: this thread packs and unpacks, they do that too and run it, side by side. */
function spread(itemMs: number, transportMs: number, workers: number): number {
  return Math.max(transportMs, (itemMs + transportMs) / workers);
}

/**
 * Learns what sending costs by cloning an item and a result, or a few when they are small. Throws DataCloneError where
 * that cannot be done.
 */
export function measureTransport(cost: Cost, items: readonly unknown[], results: readonly unknown[]): void {
  for (const count of [1, SAMPLE]) {
    const some = [items.slice(0, count), results.slice(0, count)];
    const began = performance.now();
    structuredClone(some.map((each) => packAll(each, "thread").value));
    const ms = performance.now() - began;
    // The first clone of small things says more about starting than about cloning.
    if (count > 1 || ms > ENOUGH_MS) {
      cost.observeTransport(Math.max(1, some[0]?.length ?? 1), ms);
      return;
    }
  }
}

/** The speed-up to be expected of workers over this thread; null while nothing is measured. */
export function speedUp({ itemMs, transportMs }: Cost, workers: number): number | null {
  if (itemMs === null || transportMs === null) return null;
  return itemMs / spread(itemMs, transportMs, workers);
}
