import type { KeyColumn } from "../../../batch/contract.ts";
import { isPlain, type Layout } from "../layout.ts";
import type { RangePart } from "../plan/shard-data.ts";
import type { RecordScanner } from "../scan/record-scanner.ts";
import { RepeatCounter } from "./duplicate-counter.ts";
import { INTEGER_KEY, KeyReader, NO_KEY } from "./key-reader.ts";
import { ParsedKeys } from "./parsed-keys.ts";

/** A place in the source: which file, and the offset in it. */
export interface ProofPlace {
  readonly file: number;
  readonly offset: number;
}

/**
 * Decides whether keys repeat. While one whole-number key only rises it is enough to remember the last; once it does
 * not, the keys from there on are collected, and those before `missed` have to be shown again.
 */
export class KeyProof implements AsyncDisposable {
  /** Keys up to here rose, and were not collected. */
  missed: ProofPlace | null = null;
  readonly #key: readonly KeyColumn[];
  readonly #layout: Layout;
  #reader: KeyReader | ParsedKeys;
  readonly #counter: RepeatCounter;
  #rising: boolean;
  #high = Number.NEGATIVE_INFINITY;
  #low = Number.NEGATIVE_INFINITY;

  constructor(key: readonly KeyColumn[], layout: Layout, scratch: string, memory: number) {
    this.#key = key;
    this.#layout = layout;
    this.#reader = new KeyReader(key, layout);
    this.#counter = new RepeatCounter(scratch, memory);
    this.#rising = key.length === 1 && key[0]?.equality === "integer";
  }

  /** The records that come are of this file. */
  begin(part: RangePart): void {
    this.#reader = readerOf(this.#key, this.#layout, part);
  }

  /** Takes the records that the scanner found last, in `buffer`, whose first byte is at `base` of file number `file`. */
  take(buffer: Buffer, scanner: RecordScanner, file: number, base: number): void {
    const { spans, spanCount, spanLines } = scanner;
    const reader = this.#reader;
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

  /** Shows records again that come before `missed`: their whole-number keys are collected now, the others were. */
  takeMissed(buffer: Buffer, { spans, spanCount, spanLines }: RecordScanner): void {
    const reader = this.#reader;
    for (let span = 0; span < spanCount; span++) {
      const [start, end] = [spans[span * 2] as number, spans[span * 2 + 1] as number];
      const kind = reader.read(buffer, start, end, spanLines[span] as number);
      if (kind === INTEGER_KEY) this.#counter.add(reader.first, reader.second);
    }
  }

  relieve(): Promise<void> {
    return this.#counter.relieve();
  }

  /** How many rows have a key that stood before. */
  repeats(signal: AbortSignal): Promise<number> {
    return this.#counter.count(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#counter[Symbol.asyncDispose]();
  }
}

function readerOf(key: readonly KeyColumn[], layout: Layout, part: RangePart): KeyReader | ParsedKeys {
  const plain = isPlain(layout) && part.order === null;
  return plain ? new KeyReader(key, layout) : new ParsedKeys(key, layout, part);
}
