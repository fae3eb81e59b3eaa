import type { Failure, WriteOutcome } from "../../../../batch/contract.ts";
import type { Session } from "../../session.ts";
import type { Feed } from "./copy-rows.ts";
import type { Target } from "./layout.ts";
import { type Numbered, Statements } from "./statements.ts";

/** The server counted other rows than the chunk has items: this way does not suit the chunk. */
export class Miscount extends Error {
  override readonly name = "Miscount";
}

/** What the strategies share: the session, the statements, and what the open transaction has used so far. */
export class Work {
  readonly session: Session;
  readonly target: Target;
  /** No two rows of the run have the same key. */
  readonly distinct: boolean;
  readonly #statements = new Map<number, Statements>();
  readonly #created = new Set<string>();
  /** The layouts with rows that no staging table holds with a column a field. */
  readonly #wide = new Set<number>();
  /** Staging tables that hold rows, or remains of rows that were rolled back. */
  readonly #used = new Set<string>();

  constructor(session: Session, target: Target, distinct: boolean) {
    this.session = session;
    this.target = target;
    this.distinct = distinct;
  }

  statements(feed: Feed): Statements {
    const { layout } = feed;
    let found = this.#statements.get(layout.number);
    if (found === undefined) {
      found = new Statements(this.target, layout, this.distinct);
      if (!found.fitsColumns) this.#wide.add(layout.number);
      this.#statements.set(layout.number, found);
    }
    return found;
  }

  /** Which staging table numbers the rows of a feed. */
  numberedOf({ layout }: Feed): Numbered {
    return this.#wide.has(layout.number) ? "wide" : "numbered";
  }

  /** From now on the rows of such feeds are staged as one value each. */
  widen({ layout }: Feed): void {
    this.#wide.add(layout.number);
  }

  /** Creates the staging tables of these feeds; outside of a transaction, so that they outlive a rollback. */
  async prepare(feeds: readonly Feed[], which: "stage" | "numbered"): Promise<void> {
    for (const feed of feeds) {
      const sql = this.statements(feed);
      if (this.#wide.has(feed.layout.number)) continue;
      if (this.#created.has(sql[which])) continue;
      await this.session.run(which === "stage" ? sql.createStage() : sql.createNumbered());
      this.#created.add(sql[which]);
    }
  }

  /** Call before filling a staging table: what it held may be of another feed, or rolled back but in the way. */
  async clear(name: string): Promise<void> {
    if (this.#used.has(name)) await this.session.run(`TRUNCATE pg_temp.${name}`);
    this.#used.add(name);
  }

  /** The commit has emptied the staging tables. */
  committed(): void {
    this.#used.clear();
  }
}

export function total(outcomes: readonly WriteOutcome[]): WriteOutcome {
  const sum = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] as Failure[] };
  for (const outcome of outcomes) {
    sum.written += outcome.written;
    sum.unchanged += outcome.unchanged;
    sum.skipped += outcome.skipped;
    sum.duplicates += outcome.duplicates;
    for (const failure of outcome.failures) sum.failures.push(failure);
  }
  return sum;
}
