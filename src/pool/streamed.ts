import type { Call } from "./call.ts";
import { type Portion, Returned, type Work } from "./work.ts";

/** A result of `imap` that waits to be asked for. */
export type Outcome =
  | { readonly index: number; readonly value: unknown; readonly ends?: never }
  /** With `ends`, the error is not that of an item but of the whole call. */
  | { readonly index: number; readonly error: unknown; readonly ends?: true };

/** Items that come one by one and results that leave one by one, with a bounded number between. */
export class Streamed implements Work {
  readonly call: Call;
  barren = 0;
  readonly #returned = new Returned();
  readonly #outcomes = new Map<number, Outcome>();
  #waiting: unknown[] = [];
  #base: number;
  #given: number;
  #ended = false;
  /** Has whoever waits for a result look again. */
  wake = (): void => {};

  /** `from` is the index of the first item that will come. */
  constructor(call: Call, from: number) {
    this.call = call;
    this.#base = from;
    this.#given = from;
  }

  /** Items that came and whose results have not left. */
  get under(): number {
    return this.#base + this.#waiting.length - this.#given;
  }

  get ready(): number {
    return this.#ended ? 0 : this.#waiting.length + this.#returned.items;
  }

  get left(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(item: unknown): void {
    this.#waiting.push(item);
  }

  take(limit: number): Portion {
    const again = this.#returned.take(limit);
    if (again !== null) return again;
    const base = this.#base;
    const items = this.#waiting.splice(0, limit);
    this.#base += items.length;
    return { base, items };
  }

  giveBack(portion: Portion): void {
    this.#returned.add(portion);
  }

  value(index: number, value: unknown): void {
    this.#outcomes.set(index, { index, value });
    this.wake();
  }

  error(index: number, error: unknown): void {
    this.#outcomes.set(index, { index, error });
    this.wake();
  }

  /** The next result, in order or whichever there is; null when there is none yet. */
  next(inOrder: boolean): Outcome | null {
    const index = inOrder ? this.#given : this.#outcomes.keys().next().value;
    const outcome = index === undefined ? undefined : this.#outcomes.get(index);
    if (outcome === undefined) return null;
    this.#outcomes.delete(outcome.index);
    this.#given++;
    return outcome;
  }

  /** Resolves when a result has come. */
  async came(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }

  /** Whoever asks next gets this error. */
  fail(error: unknown): void {
    this.#outcomes.set(this.#given, { index: this.#given, error, ends: true });
    this.wake();
  }

  end(): void {
    this.#ended = true;
    this.#waiting = [];
    this.#returned.clear();
    this.wake();
  }
}
