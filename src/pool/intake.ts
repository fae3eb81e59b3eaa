import { closeSource, type Source } from "./source.ts";

/** Takes items from a source as long as there is room, and does not wait for the one that is slow to come. */
export class Intake {
  /** The source has no more, or has thrown. */
  ended = false;
  /** What it threw. */
  failure: { readonly error: unknown } | null = null;
  /** An item was asked for and has not come. */
  pending = false;
  readonly #source: Source;
  readonly #hasRoom: () => boolean;
  readonly #add: (item: unknown) => void;
  readonly #came: () => void;

  /** `came` is called after items were added later than asked for. */
  constructor(source: Source, hasRoom: () => boolean, add: (item: unknown) => void, came: () => void) {
    this.#source = source;
    this.#hasRoom = hasRoom;
    this.#add = add;
    this.#came = came;
  }

  /** Takes what is at hand; the rest comes by itself. */
  fill(): void {
    while (!this.pending && !this.ended && this.#hasRoom()) {
      try {
        const pulled = this.#source.next();
        if ("then" in pulled) void this.#wait(pulled);
        else this.#accept(pulled);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  /** Tells the source that no more is wanted. One that is slow to answer is not waited for. Throws what it throws. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await closeSource(this.#source, this.pending);
  }

  async #wait(pulled: Promise<IteratorResult<unknown>>): Promise<void> {
    this.pending = true;
    try {
      const next = await pulled;
      this.pending = false;
      if (this.ended) return;
      this.#accept(next);
      this.fill();
    } catch (error) {
      this.pending = false;
      this.#fail(error);
    }
    this.#came();
  }

  #accept(next: IteratorResult<unknown>): void {
    if (next.done) this.ended = true;
    else this.#add(next.value);
  }

  #fail(error: unknown): void {
    this.ended = true;
    this.failure = { error };
  }
}
