import { errorText } from "../../error-text.ts";
import type { PoolOptions } from "../options.ts";
import { OTHER_CORES, type WorkerPool } from "../worker/worker-pool.ts";
import { blocks, measureTransport, paysOff } from "./cost.ts";
import type { FunctionAccount } from "./function-registry.ts";
import type { Call } from "./work.ts";

/** Whether items may run in the caller's thread: where a pool has options that only a worker can follow, they may not. */
export function mayRunInCaller(options: PoolOptions): boolean {
  const { isolate, init, maxTasksPerWorker, maxMemoryPerWorker, maxHeapPerWorker } = options;
  return (
    isolate !== "process" &&
    init === undefined &&
    maxTasksPerWorker === undefined &&
    maxMemoryPerWorker === undefined &&
    maxHeapPerWorker === undefined
  );
}

/** What a placement has to go by. */
export interface Circumstances {
  readonly call: Call;
  /** Is told why. */
  readonly account: FunctionAccount;
  readonly workerPool: WorkerPool;
  readonly workers: number;
  /** Of the pool. */
  readonly mayRunInCaller: boolean;
}

/** Some items that are still to run, and results of some that have. */
interface Sample {
  readonly items: readonly unknown[];
  readonly results: readonly unknown[];
}

/** Where the items of one call run: in the caller's thread as long as that pays, or in workers. */
export class Placement {
  /** Whether items may run in the caller's thread; those that were cut into chunks on purpose may not. */
  readonly mayStay: boolean;
  readonly #circumstances: Circumstances;
  /** Milliseconds that the function took before this call. */
  readonly #spentBefore: number;

  constructor(circumstances: Circumstances) {
    const { call, account, mayRunInCaller } = circumstances;
    this.#circumstances = circumstances;
    this.#spentBefore = call.cost.spentMs;
    this.mayStay = mayRunInCaller && call.limit === null && call.chunkSize === null;
    if (!this.mayStay) account.why = "only a worker can give what was asked for";
  }

  /** Whether the items that are left should go to workers now. Starts workers where they will go later. */
  leaves(left: number, sample: Sample): boolean {
    const { call, account, workerPool, workers } = this.#circumstances;
    try {
      if (call.cost.transportMs === null) measureTransport(call.cost, sample.items, sample.results);
    } catch (error) {
      // In the caller's thread they have their results; on the way to a worker they would be errors.
      account.why = `the items or their results cannot be sent to a worker (${errorText(error)})`;
      return false;
    }
    const warm = workerPool.isReady;
    const pays = paysOff({ cost: call.cost, left, spentBefore: this.#spentBefore, workers, warm });
    account.why = pays
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    if (!pays || warm || blocks(call.cost)) return pays;
    // The caller's thread continues while they start.
    workerPool.grow(left, OTHER_CORES);
    return false;
  }
}
