import type { Chunk, Survey } from "../../../../batch/contract.ts";
import { explain, mayBeOfRows } from "../../errors.ts";
import { quoteName } from "../../identifier.ts";
import type { PostgresOptions } from "../../options.ts";
import type { Session } from "../../session.ts";
import { type Moment, momentNow, wasThere } from "../same-table.ts";
import { encoded } from "../writer.ts";
import type { Feed } from "./copy-rows.ts";
import { limitOf, missingSql, rowsOf, whyNone } from "./delete-missing.ts";
import type { Layouts, Target } from "./layout.ts";
import { fill } from "./row-by-row.ts";
import { Miscount, Work } from "./staging.ts";

const SEEN = "pg_temp.pawl_seen";

/**
 * Counts on a dry run which rows a load would delete as missing: keeps the keys of all items in a temporary table, on the
 * server's disk, and writes none of the items. An item whose values cannot be read shows here, one that a constraint
 * refuses does not.
 */
export class MissingCount implements Survey<Record<string, unknown>> {
  readonly #session: Session;
  readonly #layouts: Layouts;
  readonly #target: Target;
  readonly #work: Work;
  readonly #maxDeletes: NonNullable<PostgresOptions["maxDeletes"]>;
  readonly #began: Moment;
  #bad = 0;
  #leftOut = 0;

  private constructor(
    session: Session,
    layouts: Layouts,
    maxDeletes: PostgresOptions["maxDeletes"],
    began: Moment,
  ) {
    this.#began = began;
    this.#session = session;
    this.#layouts = layouts;
    this.#target = { ...layouts.target, seen: SEEN };
    this.#work = new Work(session, this.#target, false);
    this.#maxDeletes = maxDeletes ?? "10%";
  }

  static async begin(
    session: Session,
    layouts: Layouts,
    maxDeletes: PostgresOptions["maxDeletes"],
  ): Promise<MissingCount> {
    const columns = layouts.target.key?.columns ?? [];
    const declared = columns.map(({ name, type, collate }) => `${quoteName(name)} ${type}${collate}`);
    await session.run(`CREATE TEMP TABLE pawl_seen (${declared.join(", ")})`);
    return new MissingCount(session, layouts, maxDeletes, await momentNow(session));
  }

  async take(chunk: Chunk<Record<string, unknown>>): Promise<void> {
    const { feeds, failures } = await encoded(chunk, this.#layouts);
    this.#bad += failures.length;
    for (const feed of feeds) this.#bad += await this.#keep(feed);
  }

  skip(failed: number, leftOut: number): void {
    this.#bad += failed;
    this.#leftOut += leftOut;
  }

  async conclude(): Promise<string[]> {
    try {
      return await this.#told();
    } catch (error) {
      throw explain(error, this.#session.url);
    }
  }

  async #told(): Promise<string[]> {
    const { table, key } = this.#target;
    if (this.#bad > 0) {
      const rows = this.#bad === 1 ? "1 row cannot" : `${this.#bad} rows cannot`;
      return [
        `--delete-missing would delete nothing, for ${rows} be read: a load that quarantines rows deletes none`,
      ];
    }
    const why = whyNone(0, this.#leftOut);
    if (why !== null) return [`--delete-missing would delete nothing, for ${why}`];
    await this.#session.run(`ANALYZE ${SEEN}`);
    await this.#session.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const was = await wasThere(this.#session, this.#began, table.sql);
    const rows = rowsOf(this.#target);
    const names = key?.columns.map(({ name }) => quoteName(name)).join(", ");
    const { n, there, more } = await this.#session.one<{ n: number; there: number; more: number }>(
      `SELECT (SELECT pg_catalog.count(*) FROM ${rows} WHERE ${missingSql(this.#target, table.sql, SEEN)} AND ${was})::float8 AS n,
              (SELECT pg_catalog.count(*) FROM ${rows})::float8 AS there,
              (SELECT pg_catalog.count(*) FROM (SELECT DISTINCT ${names} FROM ${SEEN}) s WHERE ${missingSql(this.#target, "s", table.sql)})::float8 AS more`,
    );
    await this.#session.run("COMMIT");
    const all = there + more;
    const limit = limitOf(this.#maxDeletes, all);
    const told = `--delete-missing would delete ${n} of ${all} rows, counted over all keys of the source, if no row is refused`;
    if (n <= limit) return [told];
    return [
      `${told}; that is more than --max-deletes ${this.#maxDeletes} allows, which is ${limit}: none would be deleted`,
    ];
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Keeps the keys of a feed; returns how many of its items cannot be read. */
  async #keep(feed: Feed): Promise<number> {
    try {
      return (await this.#staged(feed)) ? 0 : await this.#numbered(feed);
    } catch (error) {
      throw explain(error, this.#session.url);
    }
  }

  async #staged(feed: Feed): Promise<boolean> {
    const sql = this.#work.statements(feed);
    if (this.#work.numberedOf(feed) === "wide") return false;
    await this.#work.prepare([feed], "stage");
    await this.#session.run("BEGIN");
    try {
      await this.#work.clear(sql.stage);
      const rows = await this.#session.copy(sql.copyStage(feed.options), feed.bytes());
      if (rows !== feed.items) throw new Miscount();
      await this.#session.run(sql.keepSeen("stage") ?? "");
      await this.#commit();
      return true;
    } catch (error) {
      if (!(error instanceof Miscount) && !mayBeOfRows(error)) throw error;
      await this.#session.run("ROLLBACK");
      return false;
    }
  }

  async #numbered(feed: Feed): Promise<number> {
    await this.#work.prepare([feed], "numbered");
    await this.#session.run("BEGIN");
    const unreadable = await fill(this.#work, feed);
    await this.#session.run(this.#work.statements(feed).keepSeen(this.#work.numberedOf(feed)) ?? "");
    await this.#commit();
    return unreadable.length;
  }

  async #commit(): Promise<void> {
    await this.#session.run("COMMIT");
    this.#work.committed();
  }
}
