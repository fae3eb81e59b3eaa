import { setTimeout as sleep } from "node:timers/promises";
import { errorText, isOf } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { backoffDelay } from "../../retry.ts";
import type { Settlement, TaskStore } from "../../store/contract.ts";
import { isContentError, JsonText } from "../../store/internal.ts";
import { batchOf } from "../batch-of.ts";

/** A claim whose end is known. */
export interface Ended {
  /** How it is settled: asked once, when it goes to the store for the first time. */
  settlement(): Settlement;
  /** The claim is settled, is found to be lost, or is abandoned. */
  done(): void;
}

class Entry {
  readonly ended: Ended;
  /** In place of the one that the store refused. */
  readonly #instead: Settlement | null;
  #settlement: Settlement | undefined;

  constructor(ended: Ended, instead: Settlement | null = null) {
    this.ended = ended;
    this.#instead = instead;
  }

  get replaces(): boolean {
    return this.#instead !== null;
  }

  get settlement(): Settlement {
    this.#settlement ??= this.#instead ?? this.ended.settlement();
    return this.#settlement;
  }
}

/** Settlements in one transaction: what a worker ends in one turn, as a rule. */
const BATCH = 2_000;

/**
 * Settles claims in batches: what ends while one transaction is flushed to disk goes into the next. A store that
 * fails is asked again until it works, because the work is done and must not be done a second time. What it refuses is
 * tried alone, so that it holds up nothing else, and becomes a dead letter that says why.
 */
export class Completer {
  readonly #store: Pick<TaskStore, "settle">;
  readonly #onError: (error: unknown) => void;
  readonly #abandoned = new AbortController();
  readonly #waiting: Entry[] = [];
  /** How many go into the next transaction: fewer after one that failed, because what failed may be one of them. */
  #size = BATCH;
  /** Transactions that failed in a row. */
  #failures = 0;
  #flushing: Promise<void> | undefined;

  constructor(store: Pick<TaskStore, "settle">, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  complete(ended: Ended): void {
    this.#waiting.push(new Entry(ended));
    this.#flushing ??= this.#flush();
  }

  /** Resolves when what was to be settled is. */
  async flushed(): Promise<void> {
    await this.#flushing;
  }

  /** Settlements that are not durable yet. */
  get backlog(): number {
    return this.#waiting.length;
  }

  /** Gives up on a store that does not work: what is unsettled is taken over when its lease runs out. */
  abandon(): void {
    this.#abandoned.abort();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What else ends in this turn of the event loop joins the batch; and what goes wrong beside it is only known then.
      await new Promise(setImmediate);
      const again = await this.#persist(batchOf(this.#waiting, this.#size, charactersOf));
      if (again.length === 0) continue;
      const { signal } = this.#abandoned;
      const pause = backoffDelay(this.#failures, { baseMs: 100, capMs: 5_000 });
      if (!signal.aborted) await sleep(pause, undefined, { signal }).catch(() => {});
      // At the end: should one of these be what the store fails at, all others come before it.
      if (signal.aborted) for (const { ended } of again) ended.done();
      else this.#waiting.push(...again);
    }
    this.#flushing = undefined;
  }

  /** Stores what the store takes; returns what is to be tried again. */
  async #persist(batch: readonly Entry[]): Promise<readonly Entry[]> {
    try {
      // What is lost is in other hands; there is nothing left to do for it.
      await this.#store.settle(batch.map(({ settlement }) => settlement));
      this.#failures = 0;
      this.#size = Math.min(BATCH, this.#size * 2);
    } catch (error) {
      if (isContentError(error)) return await this.#isolate(batch, error);
      this.#onError(error);
      // Where this process has closed the store itself, trying again cannot help.
      if (!(isOf(error, PawlError) && error.code === "store.closed")) {
        this.#failures++;
        this.#size = Math.max(1, batch.length >> 1);
        return batch;
      }
    }
    for (const { ended } of batch) ended.done();
    return [];
  }

  /** Finds what was refused among the others by halves. */
  async #isolate(batch: readonly Entry[], error: unknown): Promise<readonly Entry[]> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) return this.#refused(only, error);
    const half = batch.length >> 1;
    return [...(await this.#persist(batch.slice(0, half))), ...(await this.#persist(batch.slice(half)))];
  }

  #refused(entry: Entry, error: unknown): readonly Entry[] {
    const { ended, settlement } = entry;
    const { id, fence } = settlement;
    this.#onError(error);
    if (entry.replaces) {
      // Its lease runs out, and it counts as a crash: the sweep writes nothing that came from the attempt.
      ended.done();
      return [];
    }
    const why = `How this attempt ended cannot be stored: ${errorText(error)}`;
    this.#waiting.push(new Entry(ended, { id, fence, result: { state: "dead", error: why } }));
    return [];
  }
}

/** About as much text as a settlement brings to the store. */
function charactersOf({ settlement }: Entry): number {
  const { result, log } = settlement;
  let sum = log?.length ?? 0;
  if ("error" in result) sum += result.error.length;
  if (result.state !== "succeeded") return sum;
  sum += textOf(result.value) + textOf(result.meta);
  for (const { payload, meta } of result.next ?? []) sum += textOf(payload) + textOf(meta);
  return sum;
}

/** What is large has been taken as a text long before. */
function textOf(value: unknown): number {
  return value instanceof JsonText ? value.text.length : 0;
}
