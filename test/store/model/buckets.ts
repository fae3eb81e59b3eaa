import type { BucketRate } from "../../../src/store/index.ts";
import type { TestClock } from "../test-clock.ts";

interface Claimed {
  /** Milliseconds of the rate that were used ahead of that moment. */
  ahead: number;
  boot: string;
  monotonic: number;
  wall: number;
}

/** The rates of buckets. */
export class ModelBuckets {
  readonly #clock: TestClock;
  readonly #claimed = new Map<string, Claimed>();

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  /** How many tasks may be claimed now. */
  allowance(rate: BucketRate): number {
    return Math.floor(rate.burst - this.#ahead(rate) / rate.intervalMs + 1e-9);
  }

  /** Milliseconds until one more may be; none or less when it may now. */
  wait(rate: BucketRate): number {
    return Math.ceil(this.#ahead(rate) - (rate.burst - 1) * rate.intervalMs - 1e-6);
  }

  charge(rate: BucketRate, count: number): void {
    const { boot } = this.#clock;
    const [monotonic, wall] = [this.#clock.monotonic(), this.#clock.wall()];
    this.#claimed.set(rate.bucket, {
      ahead: this.#ahead(rate) + count * rate.intervalMs,
      boot,
      monotonic,
      wall,
    });
  }

  #ahead({ bucket, intervalMs, burst }: BucketRate): number {
    const last = this.#claimed.get(bucket);
    if (last === undefined) return 0;
    const clock = this.#clock;
    const sameClock = last.boot === clock.boot && last.monotonic <= clock.monotonic();
    const passed = sameClock
      ? clock.monotonic() - last.monotonic
      : Math.max(clock.monotonic(), clock.wall() - last.wall);
    return Math.max(0, Math.min(last.ahead, burst * intervalMs) - passed);
  }
}
