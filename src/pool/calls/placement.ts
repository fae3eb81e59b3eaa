import { errorText } from "../../error-text.ts";
import type { PoolOptions } from "../options.ts";
import { OTHER_CORES, type WorkerPool } from "../worker/worker-pool.ts";
import { blocks, measureTransport, paysOff } from "./cost.ts";
import type { FunctionAccount } from "./function-registry.ts";
import type { Call } from "./work-queue.ts";

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

/** Some items that are still to run, and results of some that have. */
interface Sample {
  readonly items: readonly unknown[];
  readonly results: readonly unknown[];
}

/** Where the items of one call run: in the caller's thread as long as that pays, or in workers. */
export class Placement {
  /** Whether items may run in the caller's thread; those that were cut into chunks on purpose may not. */
  readonly mayStay: boolean;
  readonly #call: Call;
  readonly #account: FunctionAccount;
  readonly #workerPool: WorkerPool;
  /** Milliseconds that the function took before this call. */
  readonly #spentBefore: number;

  /** `account` is told why. `mayRunInCaller` is that of the pool. */
  constructor(call: Call, account: FunctionAccount, workerPool: WorkerPool, mayRunInCaller: boolean) {
    this.#call = call;
    this.#account = account;
    this.#workerPool = workerPool;
    this.#spentBefore = call.cost.spentMs;
    this.mayStay = mayRunInCaller && call.limit === null && call.chunkSize === null;
    if (!this.mayStay) account.why = "only a worker can give what was asked for";
  }

  /** Whether the items that are left should go to workers now, where `paysOff` (cost.ts) computes that they are faster. Starts workers where they will go later. */
  leaves(left: number, sample: Sample): boolean {
    const account = this.#account;
    const workerPool = this.#workerPool;
    const { cost } = this.#call;
    try {
      if (cost.transportMs === null) measureTransport(cost, sample.items, sample.results);
    } catch (error) {
      // In the caller's thread they have their results; on the way to a worker they would be errors.
      account.why = `the items or their results cannot be sent to a worker (${errorText(error)})`;
      return false;
    }
    const warm = workerPool.isReady;
    const pays = paysOff({
      cost,
      left,
      spentBefore: this.#spentBefore,
      workers: workerPool.maxWorkers,
      warm,
    });
    account.why = pays
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    if (!pays || warm || blocks(cost)) return pays;
    // The caller's thread continues while they start.
    workerPool.grow(left, OTHER_CORES);
    return false;
  }
}
