import { LONGEST_TIMER_MS } from "../../timers.ts";
import { TimeLimitError } from "../errors.ts";
import type { LimitMs } from "../options.ts";
import { type Marker, monotonicMs } from "./marker.ts";

/** What becomes of an item whose time is over. */
export interface TimerEvents {
  isAborted(index: number): boolean;
  abort(index: number, reason: string): void;
  kill(index: number, error: Error): void;
}

/** Sees to it that no item of a batch runs longer than it may: looks at the one that runs when its time could be over. */
export class ItemTimer {
  readonly #limit: LimitMs;
  readonly #marker: Marker;
  readonly #events: TimerEvents;
  #timer: NodeJS.Timeout;

  constructor(limit: LimitMs, marker: Marker, events: TimerEvents) {
    this.#limit = limit;
    this.#marker = marker;
    this.#events = events;
    this.#timer = this.#wait(this.#soonest);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** An item that is yet to begin has so much time at least. */
  get #soonest(): number {
    const { soft, hard } = this.#limit;
    return Math.min(soft ?? hard, hard);
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        const next = this.#check();
        if (next !== null) this.#timer = this.#wait(next);
      },
      Math.min(Math.max(1, ms), LONGEST_TIMER_MS),
    );
  }

  /** Milliseconds until the next look; null when none is needed. */
  #check(): number | null {
    const { soft, hard } = this.#limit;
    const mark = this.#marker.read();
    // It may begin in the next moment.
    if (mark === null) return this.#soonest;
    const { index, since } = mark;
    const spent = monotonicMs() - since;
    const limit = soft !== undefined && !this.#events.isAborted(index) ? soft : hard;
    if (spent < limit) return limit - spent;
    if (limit !== hard) {
      this.#events.abort(index, `its time of ${soft} ms is over`);
      // The next item may begin before, and has a soft limit too.
      return Math.min(limit, hard - spent);
    }
    const sentence = `Item ${index} ran longer than ${hard} ms; its worker was ended.`;
    this.#events.kill(index, new TimeLimitError("pool.timeout", sentence));
    return null;
  }
}
