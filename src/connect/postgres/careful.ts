import type { Failure, WriteOutcome } from "../../batch/contract.ts";
import { blame, sqlState } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { settle, writeStaged } from "./merge.ts";
import { fillNumbered } from "./numbering.ts";
import { reasonOf } from "./reason.ts";
import type { Statements } from "./statements.ts";
import { total, type Work } from "./work.ts";

/** Into how many a range is cut that holds a bad row; four needs the fewest statements for few bad rows and many. */
const parts = 4;

/**
 * Writes what can be written and tells of every other row why not. Rows that COPY refuses are found while staging;
 * rows that a constraint or a trigger refuses, by cutting the range until the statement fails for one row alone.
 */
export async function writeCareful(work: Work, feed: Feed): Promise<WriteOutcome> {
  const unreadable = await fillNumbered(work, feed);
  const search = new Search(
    work,
    feed,
    unreadable.map((failure) => failure.index),
  );
  const outcomes = await search.run(feed.first, feed.first + feed.items - 1);
  return total([...outcomes, { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: unreadable }]);
}

class Search {
  readonly #work: Work;
  readonly #sql: Statements;
  /** How many of the items before each one are in the staging table. */
  readonly #staged: Int32Array;
  readonly #first: number;
  readonly #outcomes: WriteOutcome[] = [];
  #waiting: Failure[] = [];
  /** Several rows with one key were met. */
  #repeats = false;

  constructor(work: Work, feed: Feed, missing: readonly number[]) {
    this.#work = work;
    this.#sql = work.statements(feed);
    this.#first = feed.first;
    const gone = new Set(missing);
    this.#staged = new Int32Array(feed.items + 1);
    for (let i = 0; i < feed.items; i++) {
      this.#staged[i + 1] = (this.#staged[i] ?? 0) + (gone.has(feed.first + i) ? 0 : 1);
    }
  }

  async run(low: number, high: number): Promise<WriteOutcome[]> {
    // Deferred constraints speak now, so that what they say can be laid at a row's door.
    await this.#work.session.run("SET CONSTRAINTS ALL IMMEDIATE");
    await this.#write(low, high);
    await this.#retryReferences();
    this.#outcomes.push({ written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: this.#waiting });
    return this.#outcomes;
  }

  async #write(low: number, high: number): Promise<void> {
    if (this.#count(low, high) === 0) return;
    const error = await this.#try(low, high);
    if (error === null) return;
    if (low === high) {
      const code = sqlState(error);
      const reason = reasonOf(error, (staged) => this.#sql.nameOf(staged));
      this.#waiting.push({ index: low, reason, ...(code === null ? {} : { code }) });
      return;
    }
    const step = Math.ceil((high - low + 1) / parts);
    for (let at = low; at <= high; at += step) await this.#write(at, Math.min(at + step - 1, high));
  }

  /** Writes a range or nothing; returns the error if a row of it is to blame. */
  async #try(low: number, high: number): Promise<Error | null> {
    try {
      this.#outcomes.push(await this.#writeRange(low, high));
      return null;
    } catch (error) {
      if (blame(error) !== "row") throw error;
      return error as Error;
    }
  }

  async #writeRange(low: number, high: number): Promise<WriteOutcome> {
    const taken = await this.#taken(low, high);
    const rows = this.#count(low, high) - taken.length;
    const without = taken.map((failure) => failure.index);
    const selection = { from: "numbered", range: [low, high], without } as const;
    const written = await writeStaged(this.#work, this.#sql, selection, rows, {
      lookFirst: this.#work.target.table.triggersBefore,
      lastOnly: this.#repeats,
    });
    if (written.superseded > 0) this.#repeats = true;
    return total([
      settle(this.#work, rows, written),
      { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: taken },
    ]);
  }

  /** With `fail`: the rows whose key is there already. */
  async #taken(low: number, high: number): Promise<Failure[]> {
    const { session, target } = this.#work;
    if (target.mode !== "fail" || target.key === null) return [];
    const [found] = await session.run(this.#sql.taken({ from: "numbered", range: [low, high] }));
    const names = target.key.columns.map((column) => column.name).join(", ");
    const rows = (found?.rows ?? []) as { n: number; key: string }[];
    return rows.map(({ n, key }) => ({
      index: n,
      reason: `A row with the key (${names}) = (${key}) is there already.`,
      code: "23505",
    }));
  }

  /**
   * Rows may refer to each other, and a range may have been tried before the row it refers to: as long as that
   * helps, tries again those that lacked one. A row is left alone when a later one has its key, which has won.
   */
  async #retryReferences(): Promise<void> {
    for (let before = -1; before !== this.#waiting.length; ) {
      before = this.#waiting.length;
      const again = this.#waiting;
      this.#waiting = [];
      for (const failure of again) {
        const mayWork = failure.code === "23503" && !(await this.#comesAgain(failure.index));
        if (mayWork) await this.#write(failure.index, failure.index);
        else this.#waiting.push(failure);
      }
    }
  }

  async #comesAgain(index: number): Promise<boolean> {
    const { again } = await this.#work.session.one<{ again: boolean }>(this.#sql.comesAgain(index));
    return again;
  }

  #count(low: number, high: number): number {
    return (this.#staged[high + 1 - this.#first] ?? 0) - (this.#staged[low - this.#first] ?? 0);
  }
}
