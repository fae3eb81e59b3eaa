import type { Cost } from "./cost.ts";

/** What starting workers costs before the first of them takes an item, in milliseconds. */
const START_MS = 80;
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
}

/** Whether the rest had better go to workers. */
export function paysOff({ cost, left, workers, warm }: Prospect): boolean {
  const { itemMs, transportMs } = cost;
  if (itemMs === null || transportMs === null || workers < 2) return false;
  const each = spread(itemMs, transportMs, workers);
  if (warm) return each < WORTH * itemMs;
  // Who has spent here what starting costs, will probably spend it again.
  if (cost.spentMs >= START_MS) return each < WORTH * itemMs;
  return Number.isFinite(left) && START_MS + left * each < WORTH * left * itemMs;
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
    structuredClone(some);
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
