import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { scramble } from "./key-reader.ts";

const PARTITIONS = 64;
/** Pairs of words in a buffer of 8 KiB. */
const PAIRS = 1024;
const READ_BYTES = 256 * 1024;

interface Partition {
  filling: Uint32Array;
  used: number;
  full: Uint32Array[];
  pairs: number;
  file: FileHandle | null;
  written: number;
}

/**
 * Counts how many of any number of 64-bit keys came before, in bounded memory: keys are dealt to partitions by
 * their hash, spilled to files when they outgrow the memory, and each partition is then counted by itself (a grace
 * hash join with itself).
 */
export class DuplicateCounter implements AsyncDisposable {
  readonly #scratch: string;
  readonly #memory: number;
  readonly #partitions: Partition[];
  #held = 0;

  /** `memory` is what keys may take in bytes, above about half a megabyte of buffers. */
  constructor(scratch: string, memory: number) {
    this.#scratch = scratch;
    this.#memory = memory;
    this.#partitions = Array.from({ length: PARTITIONS }, () => ({
      filling: new Uint32Array(PAIRS * 2),
      used: 0,
      full: [],
      pairs: 0,
      file: null,
      written: 0,
    }));
  }

  add(first: number, second: number): void {
    const hash = scramble(first ^ Math.imul(second, 0x9e3779b1));
    const partition = this.#partitions[hash >>> 26] as Partition;
    partition.filling[partition.used++] = first;
    partition.filling[partition.used++] = second;
    partition.pairs++;
    if (partition.used < PAIRS * 2) return;
    partition.full.push(partition.filling);
    partition.filling = new Uint32Array(PAIRS * 2);
    partition.used = 0;
    this.#held += PAIRS * 8;
  }

  /** To be called now and then between calls of `add`: writes to files what the memory cannot hold. Errors: `csv.scratch`. */
  async spill(): Promise<void> {
    if (this.#held <= this.#memory / 4) return;
    for (const [index, partition] of this.#partitions.entries()) {
      if (partition.full.length === 0) continue;
      try {
        partition.file ??= await open(join(this.#scratch, `keys-${process.pid}-${index}-${unique++}`), "wx+");
        const { bytesWritten } = await partition.file.writev(partition.full, partition.written);
        const want = partition.full.length * PAIRS * 8;
        if (bytesWritten !== want) throw new Error(`wrote ${bytesWritten} of ${want} bytes`);
        partition.written += bytesWritten;
      } catch (error) {
        throw new PawlError(
          "csv.scratch",
          `The keys of the file could not be written to ${this.#scratch} (${errorText(error)}): free some space there, or say with \`unique\` that keys never repeat.`,
          { cause: error },
        );
      }
      partition.full = [];
    }
    this.#held = 0;
  }

  /** How many keys equal one that was added before. Ends the counting. */
  async count(signal: AbortSignal): Promise<number> {
    let repeats = 0;
    for (const partition of this.#partitions) {
      // A table at most two thirds full, in at most half the memory; more passes where it would need more.
      let passes = 1;
      while (tableSize(partition.pairs / passes) * 8 > this.#memory / 2 && passes < 1 << 16) passes *= 2;
      for (let pass = 0; pass < passes; pass++) {
        const table = new PairTable(tableSize(partition.pairs / passes));
        for await (const pairs of piecesOf(partition)) {
          signal.throwIfAborted();
          repeats += table.add(pairs, pass, passes);
        }
      }
      partition.full = [];
    }
    return repeats;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const partition of this.#partitions) await partition.file?.close();
  }
}

let unique = 0;

function tableSize(pairs: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(pairs * 1.5 + 1)));
}

async function* piecesOf(partition: Partition): AsyncGenerator<Uint32Array> {
  if (partition.file) {
    const piece = new Uint32Array(READ_BYTES / 4);
    for (let at = 0; at < partition.written; ) {
      const want = Math.min(READ_BYTES, partition.written - at);
      let read = 0;
      while (read < want) {
        const { bytesRead } = await partition.file.read(
          new Uint8Array(piece.buffer, read, want - read),
          0,
          want - read,
          at + read,
        );
        if (bytesRead === 0) throw new Error("a file of keys ended early");
        read += bytesRead;
      }
      at += read;
      yield piece.subarray(0, read / 4);
    }
  }
  yield* partition.full;
  yield partition.filling.subarray(0, partition.used);
}

/** A set of pairs of 32-bit words: open addressing, grown when a pass gets more than its share. */
class PairTable {
  #slots: Uint32Array;
  #mask: number;
  #count = 0;
  #zero = false;

  constructor(size: number) {
    this.#slots = new Uint32Array(size * 2);
    this.#mask = size - 1;
  }

  /** Adds those pairs that belong to the pass and returns how many were there already. */
  add(pairs: Uint32Array, pass: number, passes: number): number {
    let repeats = 0;
    for (let at = 0; at < pairs.length; at += 2) {
      const first = pairs[at] as number;
      const second = pairs[at + 1] as number;
      const hash = scramble(second ^ Math.imul(first, 0x85ebca77));
      // The high bits choose the pass, because the low ones choose the slot.
      if (passes > 1 && Math.floor((hash / 0x100000000) * passes) !== pass) continue;
      if (!this.#insert(first, second, hash)) repeats++;
    }
    return repeats;
  }

  #insert(first: number, second: number, hash: number): boolean {
    // An empty slot is a pair of zeros, so that pair is kept apart.
    if (first === 0 && second === 0) {
      const fresh = !this.#zero;
      this.#zero = true;
      return fresh;
    }
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const here = slots[slot * 2];
      const there = slots[slot * 2 + 1];
      if (here === first && there === second) return false;
      if (here !== 0 || there !== 0) continue;
      slots[slot * 2] = first;
      slots[slot * 2 + 1] = second;
      if (++this.#count * 4 > (mask + 1) * 3) this.#grow();
      return true;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    this.#count = 0;
    for (let at = 0; at < old.length; at += 2) {
      const first = old[at] as number;
      const second = old[at + 1] as number;
      if (first !== 0 || second !== 0)
        this.#insert(first, second, scramble(second ^ Math.imul(first, 0x85ebca77)));
    }
  }
}
