import type { Readable } from "node:stream";
import { PawlError } from "../../errors.ts";

/**
 * A stream that can be looked at before it is read: what was looked at is kept until the one reading begins, so
 * that header, sniffing and samples cost nothing of the data.
 */
export class StandardInput {
  static readonly #known = new WeakMap<Readable, StandardInput>();
  readonly #kept: Buffer[] = [];
  readonly #iterator: AsyncIterator<Buffer | string>;
  #taken = false;

  private constructor(stream: Readable) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** The same object for the same stream, so that two sources over it do not steal from each other. */
  static of(stream: Readable): StandardInput {
    const known = StandardInput.#known.get(stream) ?? new StandardInput(stream);
    StandardInput.#known.set(stream, known);
    return known;
  }

  /** From the first byte on, as far as the caller goes; may be called again until `take` was. */
  async *look(): AsyncGenerator<Buffer> {
    if (this.#taken) this.#refuse();
    for (let index = 0; ; index++) {
      if (index === this.#kept.length) {
        const next = await this.#next();
        if (next === null) return;
        this.#kept.push(next);
      }
      yield this.#kept[index] as Buffer;
    }
  }

  /** All bytes, once. Errors: `csv.stdin-taken`. */
  async *take(): AsyncGenerator<Buffer> {
    if (this.#taken) this.#refuse();
    this.#taken = true;
    for (let kept = this.#kept.shift(); kept; kept = this.#kept.shift()) yield kept;
    for (let next = await this.#next(); next; next = await this.#next()) yield next;
  }

  async #next(): Promise<Buffer | null> {
    const { done, value } = await this.#iterator.next();
    return done ? null : Buffer.from(value);
  }

  #refuse(): never {
    throw new PawlError(
      "csv.stdin-taken",
      "Standard input can be read only once and part of it is gone: run the same command again with the same input, and it goes on where it stopped.",
    );
  }
}
