/** How often a busy worker is looked at, and how often in a row it may be found to do nothing. */
const LOOK_MS = 5_000;
const LOOKS = 4;

/**
 * Notices a worker that will never answer: one that neither runs anything nor says anything, because a function has
 * cut or spoiled what it speaks with. Time alone tells nothing, since the whole machine may have stood still; between two looks
 * this thread has heard everything that had been said.
 */
export class Watchdog {
  readonly #state: () => string | null;
  readonly #silent: () => void;
  #timer: NodeJS.Timeout | undefined;
  #last: string | null = null;
  #looks = 0;

  /** `state` says what a worker that seems to do nothing has come to; null for one that does something. */
  constructor(state: () => string | null, silent: () => void) {
    this.#state = state;
    this.#silent = silent;
  }

  /** Begins to look, if it does not. Costs nothing while it does. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#last = null;
  }

  #look(): void {
    const state = this.#state();
    this.#looks = state !== null && state === this.#last ? this.#looks + 1 : 1;
    this.#last = state;
    if (state === null || this.#looks < LOOKS) return;
    this.stop();
    this.#silent();
  }
}
