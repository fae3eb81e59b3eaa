import { packAll } from "../transfer/pack.ts";

/** Once so many milliseconds were measured, what came before counts half: a function may change with its items. */
const MEMORY_MS = 50;

/** Items that take so many times what those before took, for so many milliseconds, are of another kind. */
const CHANGE = 4;
const SURE_MS = 5;

/** A mean over items in which the older ones count less and less. */
class Mean {
  #items = 0;
  #ms = 0;

  get value(): number | null {
    return this.#items === 0 ? null : this.#ms / this.#items;
  }

  add(items: number, ms: number): void {
    const before = this.value;
    let kept = this.#ms > MEMORY_MS ? 0.5 : 1;
    // Items have become expensive, and the mean of thousands of cheap ones would hide it for long.
    if (before !== null && ms >= SURE_MS && ms > CHANGE * before * items)
      kept = Math.min(kept, items / this.#items);
    this.#items *= kept;
    this.#ms *= kept;
    this.#items += items;
    this.#ms += ms;
  }
}

/** What one item of a function costs, as measured while it runs. */
export class Cost {
  /** Items measured. */
  items = 0;
  /** Milliseconds of execution measured. */
  spentMs = 0;
  readonly #execution = new Mean();
  readonly #transport = new Mean();

  /** Milliseconds of execution an item; null before the first. */
  get itemMs(): number | null {
    return this.#execution.value;
  }

  /** Milliseconds to send an item and its result, of the thread that sends; null while nothing was sent. */
  get transportMs(): number | null {
    return this.#transport.value;
  }

  observe(items: number, ms: number): void {
    if (items === 0) return;
    this.items += items;
    this.spentMs += ms;
    this.#execution.add(items, ms);
  }

  observeTransport(items: number, ms: number): void {
    if (items > 0) this.#transport.add(items, ms);
  }
}

/** What a chunk should take, in milliseconds: long beside the cost of a message, short beside a person's patience. */
const CHUNK_MS = 10;
/** A chunk holds at most so many times the items measured so far: the first ones may not be like the rest. */
const GROWTH = 4;
const MOST_ITEMS = 100_000;

/**
 * Items for the next chunk: about 10 ms of work, fewer while little is known, and fewer towards the end so that the
 * workers end together. `left` is how many are still to be given out, Infinity when that is not known.
 */
export function chunkSizeFor(cost: Cost, chunkSize: number | null, left: number, workers: number): number {
  if (chunkSize !== null) return chunkSize;
  if (cost.itemMs === null) return 1;
  const wanted = Math.max(1, Math.round(CHUNK_MS / Math.max(cost.itemMs, 1e-6)));
  const share = Number.isFinite(left)
    ? Math.max(1, Math.ceil(left / (workers * 2)))
    : Number.POSITIVE_INFINITY;
  return Math.min(wanted, cost.items * GROWTH, share, MOST_ITEMS);
}

/** What starting workers costs until they run a function as fast as this thread does, in milliseconds. */
const START_MS = 150;
/** Items that take longer, in milliseconds, block the caller's loop: they go to workers, even if these must start. */
const LONG_MS = 10;
/** Workers must promise to save this share of the time. */
const WORTH = 0.65;
/** A clone that takes this long, in milliseconds, says enough. */
const ENOUGH_MS = 0.2;
/** Items that are cloned to learn what sending them costs. */
export const SAMPLE = 8;

/** What a call has to go by when it chooses where its items run. */
export interface Prospect {
  readonly cost: Cost;
  /** Items still to run; Infinity when that is not known. */
  readonly left: number;
  readonly workers: number;
  /** Whether workers have started already. */
  readonly warm: boolean;
  /** Milliseconds that the function took before this call. */
  readonly spentBefore: number;
}

/** Whether it pays to give the rest to workers. */
export function paysOff({ cost, left, workers, warm, spentBefore }: Prospect): boolean {
  const { itemMs, transportMs } = cost;
  if (itemMs === null || transportMs === null || workers < 2) return false;
  if (spread(itemMs, transportMs, workers) >= WORTH * itemMs) return false;
  if (warm) return true;
  // A function that took so long in the caller's thread as workers take to start will probably take as long again.
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
