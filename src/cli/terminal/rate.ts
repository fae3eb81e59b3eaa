/** Speed over the last seconds, so that remaining time stays honest after a pause or a change of pace. */
const WINDOW_MS = 10_000;

export class RateMeter {
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

/** `18 s`, `4 min 10 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}
