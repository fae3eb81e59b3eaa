import { LostError } from "../../errors.ts";
import type { Lease, TaskStore } from "../../store/contract.ts";
import type { JsonText } from "../../store/internal.ts";
import { isContentError } from "../../store/internal.ts";

interface Pending {
  readonly lease: Lease;
  value: JsonText;
  readonly written: PromiseWithResolvers<void>;
}

/**
 * Stores progress in batches. What is reported while one batch is being written goes into the next, and of one task
 * only the latest.
 */
export class ProgressWriter {
  readonly #store: () => Promise<TaskStore>;
  #pending = new Map<string, Pending>();
  #writing: Promise<void> | undefined;

  constructor(store: () => Promise<TaskStore>) {
    this.#store = store;
  }

  /** Resolves when this or a later value is durable. Throws a LostError when another worker has the task. */
  report(lease: Lease, value: JsonText): Promise<void> {
    const key = `${lease.fence}:${lease.id}`;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = { lease, value, written: Promise.withResolvers() };
      // A handler that does not wait for it hears by the signal.
      pending.written.promise.catch(() => {});
      this.#pending.set(key, pending);
    } else pending.value = value;
    this.#writing ??= this.#write();
    return pending.written.promise;
  }

  async #write(): Promise<void> {
    // What else is reported in this turn joins the batch.
    await undefined;
    while (this.#pending.size > 0) {
      const batch = [...this.#pending.values()];
      this.#pending = new Map();
      await this.#persist(batch);
    }
    this.#writing = undefined;
  }

  /** Never rejects. What the store refuses is the error of its own task: the others are stored without it. */
  async #persist(batch: readonly Pending[]): Promise<void> {
    try {
      const store = await this.#store();
      const { lost } = await store.progress(
        batch.map(({ lease: { id, fence }, value }) => ({ id, fence, value })),
      );
      const gone = new Set(lost);
      for (const { lease, written } of batch) {
        if (!gone.has(lease.id)) written.resolve();
        else written.reject(new LostError(`Task ${lease.id} has been taken over by another worker.`));
      }
    } catch (error) {
      if (batch.length > 1 && isContentError(error)) for (const each of batch) await this.#persist([each]);
      else for (const { written } of batch) written.reject(error);
    }
  }
}
