import { LONGEST_TIMER_MS } from "../../timers.ts";
import type { LimitMs } from "../options.ts";
import { type Mark, monotonicMs } from "./marker.ts";

/** What is watched, and what becomes of an item or a call whose time is over. */
export interface Watched {
  /** The item or call that runs now, and since when; null while none does. */
  running(): Mark | null;
  /** It has been told to stop. */
  isAborted(index: number): boolean;
  /** Its soft limit is over. */
  abort(index: number, reason: string): void;
  /** Its hard limit of so many milliseconds is over. */
  kill(index: number, hardMs: number): void;
}

/**
 * Sees to it that nothing runs longer than it may: looks at what runs when its time could be over. A soft limit aborts its
 * signal, a hard one ends its worker.
 */
export class TimeLimitTimer {
  readonly #limit: LimitMs;
  readonly #watched: Watched;
  #timer: NodeJS.Timeout;

  constructor(limit: LimitMs, watched: Watched) {
    this.#limit = limit;
    this.#watched = watched;
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
    const running = this.#watched.running();
    // One may begin in the next moment.
    if (running === null) return this.#soonest;
    const { index, since } = running;
    const spent = monotonicMs() - since;
    const limit = soft !== undefined && !this.#watched.isAborted(index) ? soft : hard;
    if (spent < limit) return limit - spent;
    if (limit !== hard) {
      this.#watched.abort(index, `its time of ${soft} ms is over`);
      // The next item may begin before, and has a soft limit too.
      return Math.min(limit, hard - spent);
    }
    this.#watched.kill(index, hard);
    return null;
  }
}
