import { errorText, isOf } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { retry } from "../../retry.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import { pause } from "./control.ts";

/** How long a store may fail to store that the run is to stop; then this process ends as if it were killed. */
const UNSTORED_MS = 3_000;
const RETRY_MS = 200;

/** The same once that is stored and the store fails to store the results of the shards, which may pass. */
const UNSETTLED_MS = 15_000;

/** The request of this process to stop the run (Ctrl-C, or an aborted signal), which ends it even if the store cannot store that, as on a full disk. */
export class Interrupt {
  #leaveAt = Number.POSITIVE_INFINITY;
  #error: unknown;

  constructor(store: Store, run: RunRecord) {
    void this.#ask(store, run);
  }

  /** The worker could not store something. */
  storeFailed(error: unknown): void {
    this.#fails(error, UNSETTLED_MS);
  }

  /** Throws the PawlError `run.interrupted` if the store has not stored it in time. */
  assertStored(): void {
    if (performance.now() < this.#leaveAt) return;
    throw new PawlError(
      "run.interrupted",
      `This process ends without telling its store, which cannot be written (${errorText(this.#error)}): what was committed counts, and the same command continues once that is fixed.`,
      { cause: this.#error },
    );
  }

  #fails(error: unknown, patienceMs: number): void {
    this.#leaveAt = Math.min(this.#leaveAt, performance.now() + patienceMs);
    this.#error = error;
  }

  async #ask(store: Store, run: RunRecord): Promise<void> {
    const isAtRest = (error: unknown) => isOf(error, PawlError) && error.code === "run.state";
    try {
      await retry(() => pause(store, run, "interrupted"), {
        isTransient: (error) => !isAtRest(error),
        patienceMs: UNSTORED_MS,
        waitMs: () => RETRY_MS,
        onRetry: (error) => this.#fails(error, UNSTORED_MS),
      });
      this.#leaveAt = Number.POSITIVE_INFINITY;
    } catch {
      // The run has ended meanwhile, or `assertStored` tells of the error.
    }
  }
}
