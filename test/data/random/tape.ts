/**
 * Choices made beforehand: whole numbers that say what is built, so that a shorter tape of smaller numbers builds something simpler, which
 * is how fast-check shrinks a plan that was never written. An end of the tape chooses the first of everything.
 */
export class Tape {
  readonly #choices: readonly number[];
  #place = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  /** A whole number below `count`. */
  below(count: number): number {
    const choice = this.#choices[this.#place++] ?? 0;
    return choice % count;
  }

  /** True once in so many times; false at the end of the tape. */
  oneIn(count: number): boolean {
    return this.below(count) === count - 1;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }

  /** Some of them, at least one, in their order. */
  some<T>(from: readonly T[]): readonly T[] {
    const kept = from.filter(() => this.below(3) === 1);
    return kept.length > 0 ? kept : [this.pick(from)];
  }
}
