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
    // Items have become dear: thousands of cheap ones before would hide that for long.
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

/** What a batch should take, in milliseconds: long beside the cost of a message, short beside a person's patience. */
const BATCH_MS = 10;
/** A batch holds at most so many times the items measured so far: the first ones may not be like the rest. */
const GROWTH = 4;
const MOST_ITEMS = 100_000;

/**
 * Items for the next batch: about 10 ms of work, fewer while little is known, and fewer towards the end so that the
 * workers end together. `left` is how many are still to be given out, Infinity when nobody knows.
 */
export function batchSize(cost: Cost, chunkSize: number | null, left: number, workers: number): number {
  if (chunkSize !== null) return chunkSize;
  if (cost.itemMs === null) return 1;
  const wanted = Math.max(1, Math.round(BATCH_MS / Math.max(cost.itemMs, 1e-6)));
  const share = Number.isFinite(left)
    ? Math.max(1, Math.ceil(left / (workers * 2)))
    : Number.POSITIVE_INFINITY;
  return Math.min(wanted, cost.items * GROWTH, share, MOST_ITEMS);
}
