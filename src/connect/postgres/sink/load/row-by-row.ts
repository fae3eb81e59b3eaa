import type { Failure, WriteOutcome } from "../../../../batch/contract.ts";
import { assertOfRows, mayBeOfRows, reasonOf, sqlState } from "../../errors.ts";
import { isMutual, together } from "../bad-row-search.ts";
import { settle, writeStaged } from "./copy-and-merge.ts";
import type { Feed } from "./copy-rows.ts";
import { fillWide } from "./json-rows.ts";
import { fillNumbered } from "./numbered-rows.ts";
import { total, type Work } from "./staging.ts";
import type { Numbered, Selection, Statements } from "./statements.ts";

/** Into how many a range is cut that holds a bad row; four needs the fewest statements for few bad rows and many. */
const parts = 4;

/**
 * Writes what can be written and tells of every other row why not. Rows that COPY refuses are found while staging;
 * rows that a constraint or a trigger refuses, by cutting the range until the statement fails for one row alone.
 */
export async function writeCareful(work: Work, feed: Feed): Promise<WriteOutcome> {
  const unreadable = await fill(work, feed);
  const search = new Search(
    work,
    feed,
    unreadable.map((failure) => failure.index),
  );
  const outcomes = await search.run(feed.first, feed.first + feed.items - 1);
  return total([...outcomes, { ...nothing, failures: unreadable }]);
}

/** Fills the staging table that numbers the rows; returns those that cannot be read. */
export async function fill(work: Work, feed: Feed): Promise<Failure[]> {
  // Which kind of staging table suits is settled by the statements.
  work.statements(feed);
  if (work.numberedOf(feed) === "wide") return await fillWide(work, feed);
  const failures = await fillNumbered(work, feed);
  // A row may be too large for a row of a staging table, which holds also what is left out, and not for the target.
  if (!failures.some(({ code }) => code === programLimit)) return failures;
  work.widen(feed);
  return await fillWide(work, feed);
}

/** SQLSTATE "program_limit_exceeded", such as a row that is too big for a page. */
const programLimit = "54000";

const nothing: WriteOutcome = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] };

/** Rows of the numbered staging table. */
type Rows = Pick<Selection, "range" | "only">;

class Search {
  readonly #work: Work;
  readonly #sql: Statements;
  /** How many of the items before each one are in the staging table. */
  readonly #staged: Int32Array;
  readonly #first: number;
  readonly #from: Numbered;
  readonly #outcomes: WriteOutcome[] = [];
  /** Rows that were refused alone, and why. */
  readonly #refused = new Map<number, unknown>();
  /** Several rows with one key were met. */
  #repeats = false;

  constructor(work: Work, feed: Feed, missing: readonly number[]) {
    this.#work = work;
    this.#sql = work.statements(feed);
    this.#first = feed.first;
    this.#from = work.numberedOf(feed);
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
    const refused = [...this.#refused];
    if (refused.length === this.#count(low, high)) assertOfRows(this.#refused.values(), true);
    const failures = refused.map(([index, error]) => {
      const code = sqlState(error);
      const reason = reasonOf(error, (staged) => this.#sql.nameOf(staged));
      return { index, reason, ...(code === null ? {} : { code }) };
    });
    this.#outcomes.push({ ...nothing, failures });
    return this.#outcomes;
  }

  async #write(low: number, high: number): Promise<void> {
    if (this.#count(low, high) === 0) return;
    const error = await this.#try({ range: [low, high] }, this.#count(low, high));
    if (error === null) return;
    if (low === high) {
      this.#refused.set(low, error);
      if (this.#outcomes.length === 0) assertOfRows(this.#refused.values(), false);
      return;
    }
    const step = Math.ceil((high - low + 1) / parts);
    for (let at = low; at <= high; at += step) await this.#write(at, Math.min(at + step - 1, high));
  }

  /** Writes some rows or none; returns the error if a row of them is to blame. */
  async #try(rows: Rows, count: number): Promise<Error | null> {
    try {
      this.#outcomes.push(await this.#writeRows(rows, count));
      return null;
    } catch (error) {
      if (!mayBeOfRows(error)) throw error;
      return error as Error;
    }
  }

  async #writeRows(rows: Rows, count: number): Promise<WriteOutcome> {
    const taken = await this.#taken(rows);
    const left = count - taken.length;
    const selection = { from: this.#from, ...rows, without: taken.map((failure) => failure.index) } as const;
    const written = await writeStaged(this.#work, this.#sql, selection, left, {
      lookFirst: this.#work.target.table.triggersBefore,
      lastOnly: this.#repeats,
    });
    if (written.superseded > 0) this.#repeats = true;
    const outcome = await settle(this.#work, this.#sql, selection, left, written);
    return total([outcome, { ...nothing, failures: taken }]);
  }

  /** With `fail`: the rows whose key is there already. */
  async #taken(rows: Rows): Promise<Failure[]> {
    const { session, target } = this.#work;
    if (target.mode !== "fail" || target.key === null) return [];
    const [found] = await session.run(this.#sql.taken({ from: this.#from, ...rows }));
    const names = target.key.columns.map((column) => column.name).join(", ");
    const taken = (found?.rows ?? []) as { n: number; key: string }[];
    return taken.map(({ n, key }) => ({
      index: n,
      reason: `A row with the key (${names}) = (${key}) is there already.`,
      code: "23505",
    }));
  }

  /**
   * Rows may refer to each other, and a range may have been tried before the row it refers to: as long as that helps, tries
   * again those that lacked one, and then those together that lack each other. A row is left alone when a later one has its
   * key, which has won.
   */
  async #retryReferences(): Promise<void> {
    const { target } = this.#work;
    // Which rows have the same key shows only once a trigger has made it.
    if (target.keyComputed && target.mode === "update") return;
    for (let before = -1; before !== this.#refused.size; ) {
      before = this.#refused.size;
      for (const [index, error] of this.#refused) {
        if (sqlState(error) !== "23503" || (await this.#comesAgain(index))) continue;
        if ((await this.#try({ only: [index] }, 1)) === null) this.#refused.delete(index);
      }
    }
    const left = new Map<number, unknown>();
    for (const [index, error] of this.#refused)
      if (isMutual(error, target.table) && !(await this.#comesAgain(index))) left.set(index, error);
    const before = [...left.keys()];
    await together(left, async (only, trial) => {
      if (!trial) return await this.#try({ only }, only.length);
      await this.#work.session.run("SAVEPOINT pawl_trial");
      const known = this.#outcomes.length;
      const error = await this.#try({ only }, only.length);
      this.#outcomes.length = known;
      await this.#work.session.run("ROLLBACK TO SAVEPOINT pawl_trial; RELEASE SAVEPOINT pawl_trial");
      return error;
    });
    for (const index of before) if (!left.has(index)) this.#refused.delete(index);
  }

  async #comesAgain(index: number): Promise<boolean> {
    const { again } = await this.#work.session.one<{ again: boolean }>(
      this.#sql.comesAgain(this.#from, index),
    );
    return again;
  }

  #count(low: number, high: number): number {
    return (this.#staged[high + 1 - this.#first] ?? 0) - (this.#staged[low - this.#first] ?? 0);
  }
}
