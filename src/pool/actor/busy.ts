/** How many calls run, and for how long at least one of them has. */
export class Busy {
  running = 0;
  #since = 0;
  #ms = 0;

  begin(now: number): void {
    if (this.running++ === 0) this.#since = now;
  }

  end(now: number): void {
    this.running--;
    if (this.running === 0) this.#ms += now - this.#since;
  }

  /** The milliseconds since it was last asked for them. */
  take(now: number): number {
    if (this.running > 0) {
      this.#ms += now - this.#since;
      this.#since = now;
    }
    const ms = this.#ms;
    this.#ms = 0;
    return ms;
  }
}
