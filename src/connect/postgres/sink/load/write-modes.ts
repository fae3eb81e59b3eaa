import type { Experience, MergeChoice } from "./copy-and-merge.ts";

export type Way = "direct" | "merge" | "careful";

/** A direct attempt that failed cost a whole chunk, so it is not repeated for at most this many. */
const longestPause = 64;
/** So many chunks in a row with refused rows, and the next begins with the way that finds them. */
const enoughBad = 2;

/** Chooses how to write the next chunk by what became of those before it. */
export class Strategy {
  #direct: boolean;
  #pause = 0;
  #nextPause = 1;
  #bad = 0;
  #lookFirst = true;
  #lastOnly = false;
  readonly #triggersBefore: boolean;

  /** `fresh`: nothing suggests that keys are in the table already. */
  constructor(options: { readonly fresh: boolean; readonly triggersBefore: boolean }) {
    this.#direct = options.fresh;
    this.#triggersBefore = options.triggersBefore;
  }

  first(canCopy: boolean): Way {
    if (this.#bad >= enoughBad) return "careful";
    return this.#direct && canCopy ? "direct" : "merge";
  }

  merge(): MergeChoice {
    // A BEFORE trigger sees every row proposed to INSERT, unchanged ones too, unless they are looked up first.
    return { lookFirst: this.#triggersBefore || this.#lookFirst, lastOnly: this.#lastOnly };
  }

  /** The direct way met a key that is there, or rows that a trigger drops. */
  directFailed(): void {
    this.#direct = false;
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(this.#nextPause * 2, longestPause);
  }

  directWorked(): void {
    this.#nextPause = 1;
    this.#bad = 0;
  }

  merged(experience: Experience): void {
    this.#bad = 0;
    this.#lookFirst = experience.unchangedShare >= 0.5;
    this.#lastOnly = experience.duplicates;
    const allNew = experience.allNew ?? experience.unchangedShare === 0;
    if (this.#pause > 0) this.#pause--;
    else this.#direct = allNew && !experience.duplicates;
  }

  careful(refused: number): void {
    this.#bad = refused > 0 ? this.#bad + 1 : 0;
  }
}
