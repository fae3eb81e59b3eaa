/** What takes no longer did not have to be waited for: it came from memory, or from a fast disk. */
const PROMPT_MS = 3;
/** After one that made us wait, so many are not tried. */
const RESPITE = 100;

/** What is no larger is read and written in one go. */
export const ONE_GO_BYTES = 256 * 1024;

/**
 * How a file system answers. One that answers at once is asked on this thread, since handing a small thing to another and
 * taking it back costs several times what the thing itself does. One that lets us wait would hold up everything else here:
 * it is asked by way of other threads, and tried again from time to time.
 */
export class Disk {
  #respite = 0;

  /** Whether to ask right here. */
  get isPrompt(): boolean {
    if (this.#respite === 0) return true;
    this.#respite--;
    return false;
  }

  /** Asks right here, and learns from how long that took. */
  ask<T>(work: () => T): T {
    const began = performance.now();
    try {
      return work();
    } finally {
      if (performance.now() - began > PROMPT_MS) this.#respite = RESPITE;
    }
  }
}
