import type { PlannedFile } from "../open/planned-file.ts";
import { readBlocks, readBytes } from "../open/read-blocks.ts";
import { type RecordRules, RecordScanner } from "../scan/record-scanner.ts";

const BLOCK = 256 * 1024;
const EMPTY = Buffer.alloc(0);

/** Some records that follow one another, without their line ends. */
export interface RecordBatch {
  readonly records: readonly Buffer[];
  /** The line on which each begins. */
  readonly lines: readonly number[];
  /** Where each begins in the chunk. */
  readonly offsets: readonly number[];
}

/** The bytes of the consecutive records of a chunk. */
export abstract class ChunkBytes {
  abstract readonly length: number;

  /**
   * From the first byte on, in pieces of any size. Each call begins again. With `reuse`, a piece is good only until the
   * next one is asked for.
   */
  abstract pieces(reuse?: boolean): AsyncIterable<Buffer>;

  abstract range(start: number, end: number): Promise<Buffer>;

  /** The same in pieces that each hold whole records, with their line ends. */
  async *wholeRecords(rules: RecordRules): AsyncGenerator<Buffer> {
    const scanner = new RecordScanner(rules);
    let carry: Buffer = EMPTY;
    let base = 0;
    for await (const piece of this.pieces()) {
      const bytes = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
      scanner.scan(bytes, carry.length, bytes.length, base);
      const cut = scanner.recordStart - base;
      if (cut > 0) yield bytes.subarray(0, cut);
      carry = bytes.subarray(cut);
      base += cut;
    }
    if (carry.length > 0) yield carry;
  }

  /** The records one by one, some thousand at a time, without blank lines and comments; `line` is that of the first byte. */
  async *records(rules: RecordRules, line = 1): AsyncGenerator<RecordBatch> {
    const scanner = new RecordScanner(rules, 0, line, true);
    let carry: Buffer = EMPTY;
    let base = 0;
    for await (const piece of this.pieces()) {
      const bytes = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
      for (let at = carry.length; at < bytes.length; ) {
        at = scanner.scan(bytes, at, bytes.length, base);
        if (scanner.spanCount > 0) yield batchOf(bytes, base, scanner);
      }
      const done = scanner.recordStart - base;
      carry = bytes.subarray(done);
      base += done;
    }
    scanner.finish(base + carry.length, base);
    if (scanner.spanCount > 0) yield batchOf(carry, base, scanner);
  }
}

function batchOf(bytes: Buffer, base: number, { spans, spanLines, spanCount }: RecordScanner): RecordBatch {
  const records = new Array<Buffer>(spanCount);
  const offsets = new Array<number>(spanCount);
  for (let index = 0; index < spanCount; index++) {
    const start = spans[index * 2] as number;
    records[index] = bytes.subarray(start, spans[index * 2 + 1]);
    offsets[index] = base + start;
  }
  return { records, offsets, lines: [...spanLines.subarray(0, spanCount)] };
}

/** A range of a plain file; read when asked for, so that it takes no memory until then. */
export class FileRange extends ChunkBytes {
  readonly length: number;
  readonly #file: PlannedFile;
  readonly #start: number;

  constructor(file: PlannedFile, start: number, end: number) {
    super();
    this.#file = file;
    this.#start = start;
    this.length = end - start;
  }

  async *pieces(reuse = false): AsyncGenerator<Buffer> {
    const range = { start: this.#start, end: this.#start + this.length };
    for await (const { buffer } of readBlocks(this.#file, { ...range, blockBytes: BLOCK, reuse }))
      yield buffer;
  }

  range(start: number, end: number): Promise<Buffer> {
    return readBytes(this.#file, this.#start + start, this.#start + end);
  }
}

/** Bytes that had to be decoded or unpacked, and so are held in memory. */
export class HeldBytes extends ChunkBytes {
  readonly length: number;
  readonly #parts: readonly Buffer[];

  constructor(parts: readonly Buffer[]) {
    super();
    this.#parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
  }

  async *pieces(): AsyncGenerator<Buffer> {
    yield* this.#parts;
  }

  async range(start: number, end: number): Promise<Buffer> {
    const cut: Buffer[] = [];
    let offset = 0;
    for (const part of this.#parts) {
      if (offset < end && offset + part.length > start)
        cut.push(part.subarray(Math.max(0, start - offset), end - offset));
      offset += part.length;
    }
    return cut.length === 1 && cut[0] ? cut[0] : Buffer.concat(cut);
  }
}
