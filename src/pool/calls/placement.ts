import type { PoolOptions } from "../options.ts";
import { type Crew, OTHER_CORES } from "../worker/worker-pool.ts";
import { blocks, measureTransport, paysOff } from "./cost.ts";
import type { Account } from "./function-registry.ts";
import type { Call } from "./work.ts";

/** What only a worker can do is not tried in this thread. */
export function mayInline(options: PoolOptions): boolean {
  const { isolate, init, maxTasksPerWorker, maxMemoryPerWorker, maxHeapPerWorker } = options;
  return (
    isolate !== "process" &&
    init === undefined &&
    maxTasksPerWorker === undefined &&
    maxMemoryPerWorker === undefined &&
    maxHeapPerWorker === undefined
  );
}

/** What a choice has to go by. */
export interface Circumstances {
  readonly call: Call;
  /** Is told why. */
  readonly account: Account;
  readonly crew: Crew;
  readonly workers: number;
  /** Of the pool. */
  readonly mayInline: boolean;
}

/** Some items that are still to run, and results of some that have. */
interface Sample {
  readonly items: readonly unknown[];
  readonly results: readonly unknown[];
}

/** Where the items of one call run: in this thread as long as that pays, or in workers. */
export class Choice {
  /** Neither do items stay here that were cut into chunks on purpose. */
  readonly mayStay: boolean;
  readonly #circumstances: Circumstances;
  /** Milliseconds that the function took before this call. */
  readonly #spentBefore: number;

  constructor(circumstances: Circumstances) {
    const { call, account, mayInline } = circumstances;
    this.#circumstances = circumstances;
    this.#spentBefore = call.cost.spentMs;
    this.mayStay = mayInline && call.limit === null && call.chunkSize === null;
    if (!this.mayStay) account.why = "only a worker can give what was asked for";
  }

  /** Whether the items that are left had better go to workers now. Starts some where they will, but not yet. */
  leave(left: number, sample: Sample): boolean {
    const { call, account, crew, workers } = this.#circumstances;
    try {
      if (call.cost.transportMs === null) measureTransport(call.cost, sample.items, sample.results);
    } catch (error) {
      // Here they have their results; there they would be errors.
      const why = error instanceof Error ? error.message : String(error);
      account.why = `the items or their results cannot be sent to a worker (${why})`;
      return false;
    }
    const warm = crew.isReady;
    const pays = paysOff({ cost: call.cost, left, spentBefore: this.#spentBefore, workers, warm });
    account.why = pays
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    if (!pays || warm || blocks(call.cost)) return pays;
    // This thread goes on while they start.
    crew.grow(left, OTHER_CORES);
    return false;
  }
}
