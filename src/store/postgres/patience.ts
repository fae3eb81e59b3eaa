import { setTimeout as sleep } from "node:timers/promises";
import { TransientError } from "../../errors.ts";
import { explain, mayRetry } from "./failure.ts";

/** Runs again what failed by bad luck, or because the server is away for a moment. */
export class Patience {
  readonly #location: string;
  readonly #ms: number;

  /** Gives up after `ms`, with an error that names the location of the store. */
  constructor(location: string, ms: number) {
    this.#location = location;
    this.#ms = ms;
  }

  /** An attempt that failed must have left nothing behind. */
  async insist<T>(attempt: () => Promise<T>): Promise<T> {
    const giveUp = performance.now() + this.#ms;
    for (let failures = 0; ; failures++) {
      try {
        return await attempt();
      } catch (error) {
        const retry = mayRetry(error) || (error instanceof TransientError && error.code === "store.in-doubt");
        if (!retry || performance.now() > giveUp) throw explain(error, this.#location);
      }
      await sleep(Math.random() * Math.min(1_000, 10 * 2 ** failures));
    }
  }
}
