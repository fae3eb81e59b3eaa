import type { NewTask, TaskStore } from "../../store/contract.ts";
import { isContentError, JsonText } from "../../store/internal.ts";
import { batchOf } from "../batch-of.ts";

interface Entry {
  readonly task: NewTask;
  readonly done: (created: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/** Tasks that are stored in one transaction. */
const BATCH = 500;

function charactersOf({ task: { payload } }: Entry): number {
  return payload instanceof JsonText ? payload.text.length : 0;
}

/** Stores tasks in batches: what is asked for while one transaction is flushed to disk goes into the next. */
export class Enqueuer {
  readonly #store: () => Promise<TaskStore>;
  #waiting: Entry[] = [];
  #flushing = false;

  constructor(store: () => Promise<TaskStore>) {
    this.#store = store;
  }

  /** Resolves when the task is durable; true when it is new. */
  add(task: NewTask): Promise<boolean> {
    return new Promise((done, failed) => {
      this.#waiting.push({ task, done, failed });
      if (!this.#flushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    // What else is asked for in this turn joins the batch.
    await undefined;
    while (this.#waiting.length > 0) {
      const batch = batchOf(this.#waiting, BATCH, charactersOf);
      try {
        await this.#add(batch, await this.#store());
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.#flushing = false;
  }

  async #add(batch: readonly Entry[], store: TaskStore): Promise<void> {
    try {
      const created = new Set(await store.enqueue(batch.map(({ task }) => task)));
      // Of two with one id in a batch, the first is the one that was stored.
      for (const { task, done } of batch) done(created.delete(task.id));
    } catch (error) {
      // What the store refuses for what it holds must not take the others along.
      if (batch.length > 1 && isContentError(error)) for (const each of batch) await this.#add([each], store);
      else for (const { failed } of batch) failed(error);
    }
  }
}
