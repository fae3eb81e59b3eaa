import { channel } from "node:diagnostics_channel";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { PawlError } from "../../../errors.ts";

/** How long the first bytes of a pipe may take, in milliseconds, before it is announced: they may never come. */
const ANNOUNCED_AFTER_MS = 3_000;

/** The message of `waitingForInput`. */
export interface WaitingForInput {
  /** The pipe as messages call it. */
  readonly name: string;
}

/** Announces each pipe whose first bytes have not come after three seconds. Messages are of type `WaitingForInput`. */
export const waitingForInput = channel("pawl:csv:waiting-for-input");

/**
 * Standard input or another pipe, which gives its bytes once. They can be peeked at before they are read: what was peeked at
 * is kept for the one reading, so that header, delimiter and samples cost nothing of the data. A run that continues is given the
 * same input again from its beginning, which a `PipeChecksum` proves.
 */
export class PipeInput {
  static readonly #ofStreams = new WeakMap<Readable, PipeInput>();
  static readonly #ofPaths = new Map<string, PipeInput>();
  readonly #peeked: Buffer[] = [];
  readonly #iterator: AsyncIterator<Buffer | string>;
  readonly #name: string;
  #isRead = false;
  #hasBegun = false;

  private constructor(stream: Readable, name: string) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** The same object for the same stream, so that two sources over it do not steal from each other. */
  static ofStream(stream: Readable, name: string): PipeInput {
    const known = PipeInput.#ofStreams.get(stream) ?? new PipeInput(stream, name);
    PipeInput.#ofStreams.set(stream, known);
    return known;
  }

  /** The same object for the same named pipe. */
  static ofPath(path: string, name: string): PipeInput {
    const known = PipeInput.#ofPaths.get(path) ?? new PipeInput(createReadStream(path), name);
    PipeInput.#ofPaths.set(path, known);
    return known;
  }

  /** From the first byte on, as far as the caller reads; may be called again until `read` was. Errors: `csv.stdin-taken`. */
  async *peek(): AsyncGenerator<Buffer> {
    if (this.#isRead) this.#refuse();
    for (let index = 0; ; index++) {
      if (index === this.#peeked.length) {
        const next = await this.#next();
        if (next === null) return;
        this.#peeked.push(next);
      }
      yield this.#peeked[index] as Buffer;
    }
  }

  /** All bytes, once. Errors: `csv.stdin-taken`. */
  async *read(): AsyncGenerator<Buffer> {
    if (this.#isRead) this.#refuse();
    this.#isRead = true;
    for (let peeked = this.#peeked.shift(); peeked; peeked = this.#peeked.shift()) yield peeked;
    for (let next = await this.#next(); next; next = await this.#next()) yield next;
  }

  async #next(): Promise<Buffer | null> {
    const announcing = this.#hasBegun
      ? undefined
      : setTimeout(
          () => waitingForInput.publish({ name: this.#name } satisfies WaitingForInput),
          ANNOUNCED_AFTER_MS,
        );
    this.#hasBegun = true;
    try {
      const { done, value } = await this.#iterator.next();
      return done ? null : Buffer.from(value);
    } finally {
      clearTimeout(announcing);
    }
  }

  #refuse(): never {
    throw new PawlError(
      "csv.stdin-taken",
      `${this.#name} can be read only once and part of it is gone: run the same command again with the same input, and it continues where it stopped.`,
    );
  }
}

/** The CRC-32 of the text of a pipe up to a position. Each checkpoint has it, so that a run continues only with the same input. */
export class PipeChecksum {
  readonly #name: string;
  value = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(text: Buffer): void {
    this.value = crc32(text, this.value);
  }

  /** Compares the text so far with that of the checkpoint. Errors: `csv.other-input`. */
  assertSame(expected: number | undefined): void {
    if (expected !== undefined && expected !== this.value) refuseOtherInput(this.#name);
  }
}

/** The input is not the one that the run began with. */
export function refuseOtherInput(name: string): never {
  throw new PawlError(
    "csv.other-input",
    `${name} is not what it was when this load began: give the same input again, or start over with \`restart: true\`.`,
  );
}
