/** Lets one loop sleep until something happens. A signal while no loop waits ends the next wait at once. */
export class WakeUpSignal {
  #woken = false;
  #answer: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#answer?.();
  }

  /** Resolves with true at the next signal, or with false after `ms` milliseconds. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#answer = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#answer = undefined;
    }
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}
