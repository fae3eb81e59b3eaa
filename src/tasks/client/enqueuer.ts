import type { NewTask, TaskStore } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import { GroupCommit } from "../group-commit.ts";

interface Entry {
  readonly task: NewTask;
  readonly done: (created: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/** Tasks that are stored in one transaction. */
const MOST = 500;

/** Stores single tasks by group commit. */
export class Enqueuer {
  readonly #commit: GroupCommit<Entry>;

  constructor(store: () => Promise<TaskStore>) {
    this.#commit = new GroupCommit<Entry>({
      most: MOST,
      characters: ({ task: { payload } }) => (payload instanceof JsonText ? payload.text.length : 0),
      store: async (batch) => {
        const created = new Set(await (await store()).enqueue(batch.map(({ task }) => task)));
        // Of two with one id in a batch, the first is the one that was stored.
        for (const { task, done } of batch) done(created.delete(task.id));
      },
      failed: ({ failed }, error) => failed(error),
    });
  }

  /** Resolves when the task is durable; true when it is new. */
  add(task: NewTask): Promise<boolean> {
    return new Promise((done, failed) => this.#commit.add({ task, done, failed }));
  }
}
