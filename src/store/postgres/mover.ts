import type { Database } from "./database.ts";
import type { Hints } from "./hints.ts";
import { Moves } from "./moves.ts";
import { foldCounts } from "./queues.ts";
import { settleGroups } from "./settle-groups.ts";
import type { Transaction } from "./transaction.ts";

/** How many transactions that counted lie between two foldings of the counts. */
const FOLD_EVERY = 500;

/** Brings tasks to other states: writes what follows from that as well, and tells those who wait for it. */
export class Mover {
  readonly #db: Database;
  readonly #hints: Hints;
  /** Since the last folding. Begins anywhere, so that many processes that write little fold as well. */
  #counted = Math.floor(Math.random() * FOLD_EVERY);
  #folding: Promise<void> | undefined;

  constructor(db: Database, hints: Hints) {
    this.#db = db;
    this.#hints = hints;
  }

  /** Runs `work` in a transaction, exactly once. */
  async write<T>(
    work: (moves: Moves, transaction: Transaction) => Promise<T>,
    options?: { readonly mostlyIdle?: boolean },
  ): Promise<T> {
    const { value, wakes, settles, counts } = await this.#db.write(async (transaction) => {
      const moves = new Moves(transaction);
      const value = await work(moves, transaction);
      await settleGroups(moves);
      const counts = await moves.write();
      return { value, wakes: moves.wakes, settles: moves.settles, counts };
    }, options);
    if (wakes) this.#hints.tell("work");
    if (settles) this.#hints.tell("results");
    if (counts) this.#count();
    return value;
  }

  /** Waits for what goes by itself. */
  async settled(): Promise<void> {
    await this.#folding;
  }

  #count(): void {
    this.#counted++;
    if (this.#counted < FOLD_EVERY || this.#folding !== undefined) return;
    this.#counted = 0;
    // Counts that were not folded are right all the same.
    this.#folding = this.#db
      .write(({ session }) => foldCounts(session))
      .catch(() => {})
      .finally(() => {
        this.#folding = undefined;
      });
  }
}
