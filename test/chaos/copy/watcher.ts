import { setTimeout as sleep } from "node:timers/promises";
import type { Side, Sight } from "./side.ts";

/** Looks at the target all the while, as another program would: whatever is there must be whole. */
export class Watcher {
  readonly #target: Side;
  readonly #meant: ReadonlyMap<string, Sight>;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  /** What was seen that should not have been. */
  readonly wrong: string[] = [];
  looks = 0;
  #seen = 0;

  constructor(target: Side, meant: ReadonlyMap<string, Sight>) {
    this.#target = target;
    this.#meant = meant;
    this.#watching = this.#watch();
  }

  /** How much of the target was there at the last look. */
  get progress(): number {
    return this.#seen / this.#meant.size;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const seen = await this.#target.look();
      this.looks++;
      this.#seen = seen.size;
      for (const [key, { size, md5 }] of seen) {
        const meant = this.#meant.get(key);
        if (meant === undefined) this.wrong.push(`${key} is there and should not be`);
        else if (size !== meant.size || (md5 !== null && md5 !== meant.md5))
          this.wrong.push(`${key} was seen with ${size} of ${meant.size} bytes, MD5 ${md5}`);
      }
      await sleep(5);
    }
  }
}
