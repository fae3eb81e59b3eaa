import type { KeyColumn } from "../../../batch/contract.ts";
import type { RangePart } from "../plan/shard-data.ts";
import type { RecordLayout } from "../record-layout.ts";
import type { RecordScanner } from "../scan/record-scanner.ts";
import { DuplicateCounter } from "./duplicate-counter.ts";
import { INTEGER_KEY, type KeyReader, keyReaderOf, NO_KEY } from "./key-reader.ts";

/** A position in the source: which file, and the offset in it. */
export interface KeyPosition {
  readonly file: number;
  readonly offset: number;
}

/**
 * Decides whether keys repeat. While one whole-number key only rises it is enough to remember the last; once it does
 * not, the keys from there on are collected, and those before `missed` have to be added later.
 */
export class DuplicateKeyCheck implements AsyncDisposable {
  /** Keys up to here rose, and were not collected. */
  missed: KeyPosition | null = null;
  readonly #key: readonly KeyColumn[];
  readonly #layout: RecordLayout;
  #reader: KeyReader | null = null;
  readonly #counter: DuplicateCounter;
  #rising: boolean;
  #high = Number.NEGATIVE_INFINITY;
  #low = Number.NEGATIVE_INFINITY;

  constructor(key: readonly KeyColumn[], layout: RecordLayout, scratch: string, memory: number) {
    this.#key = key;
    this.#layout = layout;
    this.#counter = new DuplicateCounter(scratch, memory);
    this.#rising = key.length === 1 && key[0]?.equality === "integer";
  }

  /** The records that are added next are of this file. */
  begin(part: RangePart): void {
    this.#reader = keyReaderOf(this.#key, this.#layout, part);
  }

  /** Adds the keys of the records that the scanner found last, in `buffer`, whose first byte is at `base` of file number `file`. */
  add(buffer: Buffer, scanner: RecordScanner, file: number, base: number): void {
    const { spans, spanCount, spanLines } = scanner;
    const reader = this.#reader as KeyReader;
    for (let span = 0; span < spanCount; span++) {
      const start = spans[span * 2] as number;
      const kind = reader.read(buffer, start, spans[span * 2 + 1] as number, spanLines[span] as number);
      if (kind === NO_KEY) continue;
      if (this.#rising && kind === INTEGER_KEY) {
        const { high, low } = reader.integer;
        if (high > this.#high || (high === this.#high && low > this.#low)) {
          this.#high = high;
          this.#low = low;
          continue;
        }
        this.#rising = false;
        this.missed = { file, offset: base + start };
      }
      this.#counter.add(reader.first, reader.second);
    }
  }

  /** Adds the keys of records before `missed`: only their whole numbers, because the other keys were collected at once. */
  addMissed(buffer: Buffer, { spans, spanCount, spanLines }: RecordScanner): void {
    const reader = this.#reader as KeyReader;
    for (let span = 0; span < spanCount; span++) {
      const [start, end] = [spans[span * 2] as number, spans[span * 2 + 1] as number];
      const kind = reader.read(buffer, start, end, spanLines[span] as number);
      if (kind === INTEGER_KEY) this.#counter.add(reader.first, reader.second);
    }
  }

  /** To be called now and then between calls of `add`: writes to files what the memory cannot hold. Errors: `csv.scratch`. */
  spill(): Promise<void> {
    return this.#counter.spill();
  }

  /** How many rows have a key that stood before. */
  count(signal: AbortSignal): Promise<number> {
    return this.#counter.count(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#counter[Symbol.asyncDispose]();
  }
}
