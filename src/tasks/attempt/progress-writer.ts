import { LostError } from "../../errors.ts";
import type { Lease, TaskStore } from "../../store/contract.ts";
import type { JsonText } from "../../store/internal.ts";
import { GroupCommit } from "../group-commit.ts";

interface Report {
  readonly key: string;
  readonly lease: Lease;
  value: JsonText;
  readonly written: PromiseWithResolvers<void>;
}

/** Reports that are stored in one transaction. */
const MOST = 2_000;

/** Stores progress by group commit; of the reports of one task that wait for a transaction, only the latest. */
export class ProgressWriter {
  readonly #waiting = new Map<string, Report>();
  readonly #commit: GroupCommit<Report>;

  constructor(store: () => Promise<TaskStore>) {
    this.#commit = new GroupCommit<Report>({
      most: MOST,
      characters: ({ value }) => value.text.length,
      store: (batch) => this.#store(store, batch),
      failed: ({ written }, error) => written.reject(error),
    });
  }

  /** Resolves when this or a later value is durable. Throws a LostError when another worker has the task. */
  report(lease: Lease, value: JsonText): Promise<void> {
    const key = `${lease.fence}:${lease.id}`;
    let report = this.#waiting.get(key);
    if (report === undefined) {
      report = { key, lease, value, written: Promise.withResolvers() };
      // A handler that does not await the report is told by its signal.
      report.written.promise.catch(() => {});
      this.#waiting.set(key, report);
      this.#commit.add(report);
    } else report.value = value;
    return report.written.promise;
  }

  async #store(store: () => Promise<TaskStore>, batch: readonly Report[]): Promise<void> {
    // A later report of the same task is a new entry from here on.
    for (const report of batch)
      if (this.#waiting.get(report.key) === report) this.#waiting.delete(report.key);
    const { lost } = await (await store()).progress(
      batch.map(({ lease: { id, fence }, value }) => ({ id, fence, value })),
    );
    const gone = new Set(lost);
    for (const { lease, written } of batch) {
      if (!gone.has(lease.id)) written.resolve();
      else written.reject(new LostError(`Task ${lease.id} has been taken over by another worker.`));
    }
  }
}
