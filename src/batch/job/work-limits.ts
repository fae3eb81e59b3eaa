import { PawlError } from "../../errors.ts";
import { onAverage, RateLimiter } from "../../rate-limit.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { WorkLimits } from "../contract.ts";
import { Semaphore } from "../semaphore.ts";
import { AdaptiveConcurrency } from "./adaptive-concurrency.ts";

/** The options of a job that bound what is under way. */
interface LimitOptions {
  readonly concurrency?: number;
  readonly rate?: number;
  readonly bandwidth?: Size;
}

/** Refuses limits that are not such numbers. `what` begins the sentence. */
export function assertLimits({ concurrency, rate, bandwidth }: LimitOptions, what: string): void {
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1))
    throw new PawlError("job.concurrency", `${what}: concurrency must be a whole number of at least 1.`);
  const perSecond = {
    rate,
    bandwidth: bandwidth === undefined ? undefined : bytes(bandwidth, `${what}: bandwidth`),
  };
  for (const [name, value] of Object.entries(perSecond)) {
    if (value !== undefined && !(value > 0))
      throw new PawlError("job.rate", `${what}: ${name} must be a number above 0.`);
  }
}

/** What a job allows to be under way, shared by all writers of a process. First come, first served. */
export class JobLimits implements WorkLimits {
  readonly #adaptive = new AdaptiveConcurrency();
  readonly #underWay: Semaphore;
  readonly #rate: RateLimiter | null;
  readonly #bandwidth: RateLimiter | null;

  constructor(options: LimitOptions) {
    assertLimits(options, "A job");
    const { concurrency, rate, bandwidth } = options;
    this.#underWay = new Semaphore(() => concurrency ?? this.#adaptive.value);
    this.#rate = limiter(rate);
    this.#bandwidth = limiter(
      bandwidth === undefined ? undefined : bytes(bandwidth, "The bandwidth of a job"),
    );
  }

  async run<T>(work: (overloaded: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#underWay.enter();
    try {
      signal?.throwIfAborted();
      await this.#rate?.turn(1, signal);
      const beganAt = performance.now();
      const result = await work(() => this.#adaptive.overloaded(beganAt));
      if (this.#underWay.hasWaiting) this.#adaptive.done();
      else this.#adaptive.idle();
      return result;
    } finally {
      this.#underWay.leave();
    }
  }

  async pass(bytes: number, signal?: AbortSignal): Promise<void> {
    await this.#bandwidth?.turn(bytes, signal);
  }
}

/** `Infinity` is a limit that nothing reaches. */
function limiter(perSecond: number | undefined): RateLimiter | null {
  return perSecond === undefined || perSecond === Number.POSITIVE_INFINITY
    ? null
    : new RateLimiter(onAverage({ perSecond }));
}
