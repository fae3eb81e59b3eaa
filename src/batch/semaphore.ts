/** A counting semaphore: a caller that finds no room waits for it, first come, first served. */
export class Semaphore {
  readonly #size: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** `size` gives how many may be in it at once, which may change. */
  constructor(size: () => number) {
    this.#size = size;
  }

  /** Callers wait for room. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Goes in if there is room, and says whether it did. */
  tryEnter(): boolean {
    if (this.#taken >= this.#size()) return false;
    this.#taken++;
    return true;
  }

  async enter(): Promise<void> {
    if (this.tryEnter()) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Makes room, and lets in as many as there is room for now. */
  leave(): void {
    this.#taken--;
    while (this.#taken < this.#size()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // Counted here, because it goes on only later: a call in between cannot take its room.
      this.#taken++;
      next();
    }
  }
}
