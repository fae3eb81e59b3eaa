import { PawlError } from "../../errors.ts";
import { onAverage, RateLimiter } from "../../rate-limit.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { WorkLimits } from "../contract.ts";
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
  readonly #fixed: number | null;
  readonly #adaptive = new AdaptiveConcurrency();
  readonly #rate: RateLimiter | null;
  readonly #bandwidth: RateLimiter | null;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: LimitOptions) {
    assertLimits(options, "A job");
    const { concurrency, rate, bandwidth } = options;
    this.#fixed = concurrency ?? null;
    this.#rate = limiter(rate);
    this.#bandwidth = limiter(
      bandwidth === undefined ? undefined : bytes(bandwidth, "The bandwidth of a job"),
    );
  }

  /** How many may be under way now. */
  get #concurrency(): number {
    return this.#fixed ?? this.#adaptive.value;
  }

  async run<T>(work: (trouble: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running < this.#concurrency) this.#running++;
    else await this.#turn();
    try {
      signal?.throwIfAborted();
      await this.#rate?.turn(1, signal);
      const beganAt = performance.now();
      const result = await work(() => this.#adaptive.trouble(beganAt));
      if (this.#waiting.length > 0) this.#adaptive.done();
      else this.#adaptive.idle();
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
    while (this.#running < this.#concurrency) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}

/** `Infinity` is a limit that nothing reaches. */
function limiter(perSecond: number | undefined): RateLimiter | null {
  return perSecond === undefined || perSecond === Number.POSITIVE_INFINITY
    ? null
    : new RateLimiter(onAverage({ perSecond }));
}
