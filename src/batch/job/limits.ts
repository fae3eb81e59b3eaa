import { PawlError } from "../../errors.ts";
import { onAverage, RateLimiter } from "../../rate-limit.ts";
import type { WorkLimits } from "../contract.ts";
import { AdaptiveConcurrency } from "./adaptive-concurrency.ts";

export interface LimitOptions {
  readonly atOnce?: number;
  readonly rate?: number;
  readonly bandwidth?: number;
}

/** What a job allows to be under way, shared by all writers of a process. First come, first served. */
export class JobLimits implements WorkLimits {
  readonly #fixed: number | null;
  readonly #level = new AdaptiveConcurrency();
  readonly #rate: RateLimiter | null;
  readonly #bandwidth: RateLimiter | null;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor({ atOnce, rate, bandwidth }: LimitOptions) {
    if (atOnce !== undefined && !(Number.isInteger(atOnce) && atOnce >= 1))
      throw new PawlError("job.at-once", "atOnce must be a whole number of at least 1.");
    for (const [name, value] of Object.entries({ rate, bandwidth })) {
      if (value !== undefined && !(value > 0))
        throw new PawlError("job.rate", `${name} must be a number above 0.`);
    }
    this.#fixed = atOnce ?? null;
    this.#rate = rate === undefined ? null : new RateLimiter(onAverage({ perSecond: rate }));
    this.#bandwidth = bandwidth === undefined ? null : new RateLimiter(onAverage({ perSecond: bandwidth }));
  }

  get level(): number {
    return this.#fixed ?? this.#level.value;
  }

  async run<T>(work: (trouble: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running < this.level) this.#running++;
    else await this.#turn();
    try {
      signal?.throwIfAborted();
      await this.#rate?.turn(1, signal);
      const beganAt = performance.now();
      const result = await work(() => this.#level.trouble(beganAt));
      if (this.#waiting.length > 0) this.#level.done();
      else this.#level.idle();
      return result;
    } finally {
      this.#running--;
      this.#admit();
    }
  }

  async pass(bytes: number, signal?: AbortSignal): Promise<void> {
    await this.#bandwidth?.turn(bytes, signal);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets in as many as there is room for; they are counted here, since they wake up only later. */
  #admit(): void {
    while (this.#running < this.level) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
