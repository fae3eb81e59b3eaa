import { errorText, isOf } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Settlement, TaskStore } from "../../store/contract.ts";
import { isContentError, JsonText } from "../../store/internal.ts";
import { GroupCommit } from "../group-commit.ts";

/** A claim whose attempt has ended. */
export interface Ended {
  /** Its settlement. Called once, when it goes to the store for the first time. */
  settlement(): Settlement;
  /** The claim is settled, is found to be lost, or is abandoned. */
  done(): void;
}

class Entry {
  readonly ended: Ended;
  /** It takes the place of a settlement that the store refused. */
  readonly replaces: boolean;
  #settlement: Settlement | undefined;

  constructor(ended: Ended, instead?: Settlement) {
    this.ended = ended;
    this.replaces = instead !== undefined;
    this.#settlement = instead;
  }

  get settlement(): Settlement {
    this.#settlement ??= this.ended.settlement();
    return this.#settlement;
  }
}

/** The most settlements in one transaction; a worker rarely ends more in one turn of its event loop. */
const MOST = 2_000;

/**
 * Settles claims by group commit. A store that does not work is asked again until it works, because the work is done and
 * must not be done a second time. What the store refuses becomes a dead letter that says why.
 */
export class Completer {
  readonly #onError: (error: unknown) => void;
  readonly #abandoned = new AbortController();
  readonly #commit: GroupCommit<Entry>;

  constructor(store: Pick<TaskStore, "settle">, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.#commit = new GroupCommit<Entry>({
      most: MOST,
      characters: charactersOf,
      // Other attempts that end in this turn of the event loop join the batch, and unhandled errors are known only after it.
      gather: () => new Promise(setImmediate),
      store: (batch) => this.#settle(store, batch),
      failed: (entry, error) => this.#failed(entry, error),
      retry: { isTransient: isWorthAsking, baseMs: 100, capMs: 5_000, signal: this.#abandoned.signal },
    });
  }

  complete(ended: Ended): void {
    this.#commit.add(new Entry(ended));
  }

  /** Resolves when all settlements are durable. */
  async flushed(): Promise<void> {
    await this.#commit.flushed();
  }

  /** Settlements that are not durable yet. */
  get backlog(): number {
    return this.#commit.backlog;
  }

  /** Gives up on a store that does not work: what is unsettled is taken over when its lease runs out. */
  abandon(): void {
    this.#abandoned.abort();
  }

  async #settle(store: Pick<TaskStore, "settle">, batch: readonly Entry[]): Promise<void> {
    try {
      // A claim that is lost belongs to another worker; there is nothing left to do for it here.
      await store.settle(batch.map(({ settlement }) => settlement));
    } catch (error) {
      if (!isContentError(error)) this.#onError(error);
      throw error;
    }
    for (const { ended } of batch) ended.done();
  }

  #failed({ ended, replaces, settlement: { id, fence } }: Entry, error: unknown): void {
    if (!isContentError(error)) {
      ended.done();
      return;
    }
    this.#onError(error);
    if (replaces) {
      // Its lease runs out, and it counts as a crash: the sweep writes nothing that came from the attempt.
      ended.done();
      return;
    }
    const why = `How this attempt ended cannot be stored: ${errorText(error)}`;
    this.#commit.add(new Entry(ended, { id, fence, result: { state: "dead", error: why } }));
  }
}

/** Where this process has closed the store itself, asking it again cannot help. */
function isWorthAsking(error: unknown): boolean {
  return !(isOf(error, PawlError) && error.code === "store.closed");
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

/** The size of a value: one that is large became a text long before. */
function textOf(value: unknown): number {
  return value instanceof JsonText ? value.text.length : 0;
}
