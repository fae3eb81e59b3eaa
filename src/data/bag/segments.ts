import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { assertCloneable } from "../../pool/internal.ts";

/** Values that were put aside, in order: in memory, or in a file of the spill folder. */
export interface SpillSegment {
  readonly at: Uint8Array | { readonly file: string; readonly offset: number };
  readonly bytes: number;
  readonly values: number;
}

/** Where a part puts values aside. */
export interface Spill {
  /** A folder of this run. */
  readonly folder: string;
  /** The name of the part, which no other part has. */
  readonly name: string;
  /** Bytes that may be returned with the reply, without a file. */
  readonly inline: number;
  /** Bytes of values that are written together. */
  readonly block: number;
  /** Whether values come from functions, which may have made what cannot be written. */
  readonly check: boolean;
}

/** The file of one part, opened when it is needed. */
export class SpillFile implements Disposable {
  readonly #spill: Spill;
  #left: number;
  #handle: number | null = null;
  #offset = 0;

  constructor(spill: Spill) {
    this.#spill = spill;
    this.#left = spill.inline;
  }

  get block(): number {
    return this.#spill.block;
  }

  get check(): boolean {
    return this.#spill.check;
  }

  write(values: readonly unknown[]): SpillSegment {
    const block = serialized(values);
    if (block.length <= this.#left) {
      this.#left -= block.length;
      return { at: block, bytes: block.length, values: values.length };
    }
    const file = join(this.#spill.folder, this.#spill.name);
    this.#handle ??= openSync(file, "wx", 0o600);
    writeAll(this.#handle, block);
    const offset = this.#offset;
    this.#offset += block.length;
    return { at: { file, offset }, bytes: block.length, values: values.length };
  }

  [Symbol.dispose](): void {
    if (this.#handle !== null) closeSync(this.#handle);
    this.#handle = null;
  }
}

/** Puts values aside in blocks of about the same size. */
export class SegmentWriter {
  readonly #file: SpillFile;
  readonly segments: SpillSegment[] = [];
  #held: unknown[] = [];
  /** Values for which a block has about its size, as the last one tells. */
  #enough = 16;

  constructor(file: SpillFile) {
    this.#file = file;
  }

  add(value: unknown): void {
    if (this.#file.check) assertKept(value);
    if (this.#held.push(value) >= this.#enough) this.flush();
  }

  flush(): void {
    if (this.#held.length === 0) return;
    const segment = this.#file.write(this.#held);
    this.segments.push(segment);
    const each = segment.bytes / segment.values;
    this.#enough = Math.max(1, Math.min(4 * this.#enough, Math.round(this.#file.block / each), 65_536));
    this.#held = [];
  }
}

/** The values of segments, in order, block by block. Throws where one has fewer than were written. */
export function* readSegments(segments: Iterable<SpillSegment>): Generator<readonly unknown[]> {
  using files = new OpenFiles();
  for (const segment of segments) {
    const block = segment.at instanceof Uint8Array ? segment.at : files.read(segment.at, segment.bytes);
    const values: unknown = deserialize(block);
    if (!Array.isArray(values) || values.length !== segment.values)
      throw new PawlError(
        "bag.spill",
        `A file in the spill folder does not hold what was written to it: look at the disk, then run it again.`,
      );
    yield values;
  }
}

/** The files that segments are in, of which neighbours are often in the same one. */
class OpenFiles implements Disposable {
  #file: string | null = null;
  #handle = -1;

  read({ file, offset }: { readonly file: string; readonly offset: number }, bytes: number): Buffer {
    if (file !== this.#file) {
      this[Symbol.dispose]();
      this.#handle = openSync(file, "r");
      this.#file = file;
    }
    const block = Buffer.allocUnsafe(bytes);
    for (let filled = 0; filled < bytes; ) {
      const read = readSync(this.#handle, block, filled, bytes - filled, offset + filled);
      if (read === 0)
        throw new PawlError(
          "bag.spill",
          `A file in the spill folder is shorter than what was written to it: look at the disk, then run it again.`,
        );
      filled += read;
    }
    return block;
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#handle);
    this.#file = null;
  }
}

export function writeAll(handle: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(handle, bytes, written);
}

export function totalBytes(segments: readonly SpillSegment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function totalValues(segments: readonly SpillSegment[]): number {
  return segments.reduce((sum, { values }) => sum + values, 0);
}

/** Throws for what would arrive as less than it is: an object of a class, a stream. */
export function assertKept(value: unknown): void {
  if (typeof value !== "object" || value === null) {
    if (typeof value === "function" || typeof value === "symbol") throw unkept(`it is a ${typeof value}`);
    return;
  }
  try {
    assertCloneable(value, "process");
  } catch (error) {
    throw unkept(errorReason(error));
  }
}

function serialized(values: readonly unknown[]): Uint8Array {
  try {
    return serialize(values);
  } catch (error) {
    throw error instanceof RangeError ? unkept("it is nested too deep") : unkept(errorReason(error));
  }
}

function unkept(why: string): PawlError {
  return new PawlError("bag.unsendable", `An item cannot leave its worker (${why}): make plain data of it.`);
}
