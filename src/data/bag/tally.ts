import { PawlError } from "../../errors.ts";
import type { PartCounts } from "./part.ts";

/** What became of the lines, or of the items of the program: `read = kept + dropped + malformed`, asserted before a result is given. */
export interface BagCounts {
  /** Lines that were read; blank lines of JSONL are not counted. */
  readonly read: number;
  /** Lines of which an item reached the result, or the first step that looks at many items together, such as `groupBy`. */
  readonly kept: number;
  /** Lines of which no item did: filters left them out. */
  readonly dropped: number;
  /** Lines that are no item. */
  readonly malformed: number;
}

/** A result with what became of the lines that it was made of. */
export interface BagResult<T> extends BagCounts {
  /** The result itself. */
  readonly value: T;
  /** Whether all of the input was read: `take`, `any` and `all` stop as soon as the rest makes no difference. */
  readonly complete: boolean;
}

/** Adds up what parts count. */
export class Tally {
  #read = 0;
  #kept = 0;
  #dropped = 0;
  #malformed = 0;
  #quarantined: number | null = null;

  add({ read, kept, dropped, malformed }: PartCounts): void {
    this.#read += read;
    this.#kept += kept;
    this.#dropped += dropped;
    this.#malformed += malformed;
  }

  /** Lines that were written into a quarantine file. */
  quarantined(lines: number): void {
    this.#quarantined = (this.#quarantined ?? 0) + lines;
  }

  get counts(): BagCounts {
    return { read: this.#read, kept: this.#kept, dropped: this.#dropped, malformed: this.#malformed };
  }

  /** Throws where the counts do not add up: no result may be given then. */
  checked(): BagCounts {
    const { counts } = this;
    const { read, kept, dropped, malformed } = counts;
    const whole = Object.values(counts).every((count) => Number.isSafeInteger(count) && count >= 0);
    if (
      !whole ||
      read !== kept + dropped + malformed ||
      (this.#quarantined !== null && this.#quarantined !== malformed)
    )
      throw new PawlError(
        "bag.counts",
        `${read} lines were read, and ${kept} kept + ${dropped} dropped + ${malformed} malformed${this.#quarantined === null ? "" : ` (${this.#quarantined} in quarantine)`} are not as many: this is a defect of Pawl.`,
      );
    return counts;
  }
}
