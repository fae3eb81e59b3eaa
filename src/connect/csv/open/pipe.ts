import { channel } from "node:diagnostics_channel";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { PawlError } from "../../../errors.ts";

/** So long may the first bytes of a pipe take, in milliseconds, until somebody is told: they may never come. */
const SILENT_MS = 3_000;

/** What is said of a pipe that gives nothing. */
export interface Silence {
  /** Of the pipe, for people. */
  readonly name: string;
}

/** Tells of each pipe that gives nothing for a while: whoever looks at a source waits for it. Messages are of type `Silence`. */
export const silences = channel("pawl:csv:silence");

/**
 * Standard input or another pipe: it can be looked at before it is read, for what was looked at is kept until the one
 * reading begins, so that header, sniffing and samples cost nothing of the data.
 */
export class SinglePass {
  static readonly #known = new WeakMap<Readable, SinglePass>();
  static readonly #pipes = new Map<string, SinglePass>();
  readonly #kept: Buffer[] = [];
  readonly #iterator: AsyncIterator<Buffer | string>;
  readonly #name: string;
  #taken = false;
  #hasBegun = false;

  private constructor(stream: Readable, name: string) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** The same object for the same stream, so that two sources over it do not steal from each other. */
  static of(stream: Readable, name: string): SinglePass {
    const known = SinglePass.#known.get(stream) ?? new SinglePass(stream, name);
    SinglePass.#known.set(stream, known);
    return known;
  }

  /** The same object for the same pipe. */
  static at(path: string, name: string): SinglePass {
    const open = SinglePass.#pipes.get(path);
    if (open) return open;
    const made = new SinglePass(createReadStream(path), name);
    SinglePass.#pipes.set(path, made);
    return made;
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
    const told = this.#hasBegun
      ? undefined
      : setTimeout(() => silences.publish({ name: this.#name } satisfies Silence), SILENT_MS);
    this.#hasBegun = true;
    try {
      const { done, value } = await this.#iterator.next();
      return done ? null : Buffer.from(value);
    } finally {
      clearTimeout(told);
    }
  }

  #refuse(): never {
    throw new PawlError(
      "csv.stdin-taken",
      `${this.#name} can be read only once and part of it is gone: run the same command again with the same input, and it goes on where it stopped.`,
    );
  }
}
