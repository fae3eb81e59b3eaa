import type { PostgresSession } from "../../session.ts";
import type { CopyRows } from "./copy-rows.ts";
import type { LoadTarget } from "./load-target.ts";
import { LoadStatements, type Numbered } from "./statements.ts";

/** The server counted other rows than the chunk has items: this write mode does not suit the chunk. */
export class Miscount extends Error {
  override readonly name = "Miscount";
}

/** The statements of one session for each layout of rows, and the staging tables in which the session holds rows. */
export class Staging {
  readonly session: PostgresSession;
  readonly target: LoadTarget;
  /** No two rows of the run have the same key. */
  readonly distinct: boolean;
  readonly #statements = new Map<number, LoadStatements>();
  readonly #created = new Set<string>();
  /** The layouts with rows that no staging table holds with a column for each field. */
  readonly #asJson = new Set<number>();
  /** Staging tables that hold rows, or remains of rows that were rolled back. */
  readonly #used = new Set<string>();

  constructor(session: PostgresSession, target: LoadTarget, distinct: boolean) {
    this.session = session;
    this.target = target;
    this.distinct = distinct;
  }

  statements({ layout }: CopyRows): LoadStatements {
    let found = this.#statements.get(layout.number);
    if (found === undefined) {
      found = new LoadStatements(this.target, layout, this.distinct);
      if (!found.fitsColumns) this.#asJson.add(layout.number);
      this.#statements.set(layout.number, found);
    }
    return found;
  }

  /** Which staging table numbers these rows. */
  numberedOf(rows: CopyRows): Numbered {
    // Whether a column for each field is possible is known once there are statements.
    this.statements(rows);
    return this.#asJson.has(rows.layout.number) ? "json" : "numbered";
  }

  /** From now on rows of this layout are staged as one JSON text each. */
  stageAsJson({ layout }: CopyRows): void {
    this.#asJson.add(layout.number);
  }

  /** Creates the staging tables of these rows; outside of a transaction, so that they outlive a rollback. */
  async prepare(groups: readonly CopyRows[], which: "stage" | "numbered"): Promise<void> {
    for (const rows of groups) {
      const sql = this.statements(rows);
      if (this.numberedOf(rows) === "json" || this.#created.has(sql[which])) continue;
      await this.session.run(which === "stage" ? sql.createStage() : sql.createNumbered());
      this.#created.add(sql[which]);
    }
  }

  /** Call before filling a staging table: it may hold other rows, or rolled back ones that are in the way. */
  async clear(name: string): Promise<void> {
    if (this.#used.has(name)) await this.session.run(`TRUNCATE pg_temp.${name}`);
    this.#used.add(name);
  }

  /** The commit has emptied the staging tables. */
  committed(): void {
    this.#used.clear();
  }
}
