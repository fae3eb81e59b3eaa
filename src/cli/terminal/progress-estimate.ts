import type { RunProgress } from "../../batch/index.ts";
import { AT_REST } from "../../batch/internal.ts";
import { grouped } from "../../count-text.ts";
import { visible } from "../../visible.ts";
import { duration, withUnit } from "./format.ts";

/** Shows a run's progress while it is followed. */
export interface ProgressView {
  update(progress: RunProgress): void;
  /** A sentence that stays on the screen. */
  note(sentence: string): void;
  stop(): void;
}

/** How far a run is, and how fast: by items where they are counted, by bytes where they are not. */
export class ProgressEstimate {
  readonly #items = new RateMeter();
  readonly #bytes = new RateMeter();
  readonly #planning = new RateMeter();

  observe(progress: RunProgress, now: number): Shown {
    if (progress.planning !== null && progress.shards.length === 0) {
      const { done, total } = progress.planning;
      // How much there is to list is known only at the end of the listing.
      if (total === 0)
        return { share: 0, parts: [{ text: `listed ${withUnit(done, progress.unit)}`, rank: 0 }] };
      this.#planning.observe(done, now);
      const share = total > 0 ? done / total : 1;
      return {
        share,
        parts: [{ text: `scanning ${percent(share)}`, rank: 0 }, ...left(this.#planning.secondsLeft(total))],
      };
    }
    const { counts, items, bytes, unit } = progress;
    this.#items.observe(counts.read, now);
    this.#bytes.observe(counts.bytes, now);
    const share =
      items !== null ? ratio(counts.read, items) : bytes !== null ? ratio(counts.bytes, bytes) : 0;
    const secondsLeft =
      items !== null
        ? this.#items.secondsLeft(items)
        : bytes !== null
          ? this.#bytes.secondsLeft(bytes)
          : null;
    const counted =
      items === null ? withUnit(counts.read, unit) : `${grouped(counts.read)} of ${grouped(items)}`;
    const isShare = items !== null || bytes !== null;
    const done = isShare ? `completed ${percent(share)}` : counted;
    const rate = this.#items.perSecond();
    const resting = AT_REST.has(progress.state);
    const parts: Part[] = [
      { text: isShare ? `${done} (${counted})` : done, short: isShare ? percent(share) : done, rank: 0 },
      ...(rate === null ? [] : [{ text: `${withUnit(rate, unit)}/s`, rank: 4 }]),
      ...(resting || share === 1 ? [] : left(secondsLeft)),
      { text: `${grouped(counts.quarantined)} quarantined`, rank: counts.quarantined > 0 ? 1 : 3 },
      // The summary says why a run at rest has stopped.
      ...(progress.note === null || resting ? [] : [{ text: visible(progress.note), rank: 2 }]),
    ];
    return { share, parts };
  }
}

/** A part of what is shown. */
export interface Part {
  readonly text: string;
  /** The same where there is little room. */
  readonly short?: string;
  /** The higher it is, the sooner the part is left out. */
  readonly rank: number;
}

interface Shown {
  readonly share: number;
  readonly parts: readonly Part[];
}

/** What stands between two parts. */
export const BETWEEN = " · ";

function ratio(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 1;
}

function percent(share: number): string {
  // Rounded down: 100 % is shown when it is true.
  return `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;
}

function left(seconds: number | null): Part[] {
  return seconds === null ? [] : [{ text: `${duration(seconds)} left`, rank: 3 }];
}

/** Speed over the last seconds, so that remaining time stays honest after a pause or a change of pace. */
const WINDOW_MS = 10_000;

class RateMeter {
  readonly #points: { at: number; done: number }[] = [];

  /** Takes in how much is done at `now` (milliseconds of any steady clock). */
  observe(done: number, now: number): void {
    this.#points.push({ at: now, done });
    for (;;) {
      const second = this.#points[1];
      if (second === undefined || second.at > now - WINDOW_MS) return;
      this.#points.shift();
    }
  }

  /** Done a second; null until there is something to judge. */
  perSecond(): number | null {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < 300) return null;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }

  /** Seconds until `total` at the present speed; null when it cannot be told. */
  secondsLeft(total: number): number | null {
    const rate = this.perSecond();
    const done = this.#points.at(-1)?.done ?? 0;
    if (rate === null || rate <= 0) return null;
    return Math.max(0, (total - done) / rate);
  }
}
