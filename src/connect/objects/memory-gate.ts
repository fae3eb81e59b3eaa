/** Bytes that may be held at once. Whoever asks first gets first; more than there is in all is given alone. */
export class MemoryGate {
  readonly #bytes: number;
  readonly #waiting: { bytes: number; enter: () => void }[] = [];
  #held = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Runs `work` once so many bytes are free. */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(bytes))
      await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
    else this.#held += bytes;
    try {
      return await work();
    } finally {
      this.#held -= bytes;
      this.#admit();
    }
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#bytes;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held += next.bytes;
      next.enter();
    }
  }
}
