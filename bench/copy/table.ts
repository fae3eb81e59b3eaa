import type { Measured } from "../load/measure.ts";
import type { Contestant } from "./contestants.ts";

export interface Work {
  readonly what: string;
  readonly count: number;
  readonly bytes: number;
  readonly large: boolean;
}

/** What each program took for each way, and whether Pawl is where it should be. */
export class Table {
  readonly #work: Work;
  readonly #cells = new Map<string, Map<Contestant, Measured[]>>();

  constructor(work: Work) {
    this.#work = work;
  }

  add(way: string, who: Contestant, measured: Measured): void {
    const row = this.#cells.get(way) ?? new Map<Contestant, Measured[]>();
    this.#cells.set(way, row.set(who, [...(row.get(who) ?? []), measured]));
    // As it goes: a long contest may be interrupted.
    console.error(`  … ${way}: ${who.name} ${measured.seconds.toFixed(1)} s`);
  }

  print(): void {
    for (const [way, row] of this.#cells) {
      console.log(`  ${way}`);
      const seconds = (each: Contestant) => median((row.get(each) ?? []).map((one) => one.seconds));
      const rivals = [...row.keys()].filter(({ name }) => name !== "pawl");
      const best = Math.min(...rivals.map(seconds));
      for (const [each, rounds] of row) {
        const took = seconds(each);
        const rate = this.#work.large
          ? `${Math.round((this.#work.count * this.#work.bytes) / took / 1e6)} MB/s`
          : `${Math.round(this.#work.count / took).toLocaleString("en-US")} objects/s`;
        const peak = Math.max(...rounds.map(({ peakBytes }) => peakBytes));
        const ratio = each.name === "pawl" && rivals.length > 0 ? this.#verdict(way, best / took) : "";
        console.log(
          `    ${each.name.padEnd(7)} ${took.toFixed(1).padStart(7)} s  ${rate.padStart(16)}  peak ${Math.round(peak / 2 ** 20)} MiB${ratio}`,
        );
      }
    }
  }

  #verdict(way: string, ratio: number): string {
    const goal = way.endsWith("nothing to do") ? 2 : this.#work.large ? 0.9 : 1;
    return `  ${ratio.toFixed(2)} × the faster peer (${ratio >= goal ? "met" : "MISSED"}: ${goal})`;
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
