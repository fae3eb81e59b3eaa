/** Bytes that may be held at once. Callers are served in the order in which they ask; one that asks for more than there is gets it alone. */
export class MemoryBudget {
  readonly #bytes: number;
  readonly #waiting: { bytes: number; enter: () => void }[] = [];
  #held = 0;
  /** Pieces that were lent and came back. Left to the collector they would pile up: it does not see how large they are. */
  readonly #free: Buffer[] = [];

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

  /**
   * As `hold`, with a piece of memory that is used again afterwards: the caller must not keep it. Threads can share it.
   */
  async lend<T>(bytes: number, work: (piece: Buffer) => Promise<T>): Promise<T> {
    return await this.hold(bytes, async () => {
      const at = this.#free.findIndex((piece) => piece.length >= bytes);
      const piece =
        at < 0 ? Buffer.from(new SharedArrayBuffer(bytes)) : (this.#free.splice(at, 1)[0] as Buffer);
      try {
        return await work(piece.subarray(0, bytes));
      } finally {
        this.#keep(piece);
      }
    });
  }

  /** Keeps a piece, and no more than may be held at once. */
  #keep(piece: Buffer): void {
    this.#free.push(piece);
    for (let kept = this.#free.reduce((sum, { length }) => sum + length, 0); kept > this.#bytes; )
      kept -= this.#free.shift()?.length ?? kept;
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
