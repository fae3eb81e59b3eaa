import type { Chunk, Survey } from "../../../../batch/contract.ts";
import { explain } from "../../errors.ts";
import { quoteName } from "../../identifier.ts";
import type { PostgresOptions } from "../../options.ts";
import type { PostgresSession } from "../../session.ts";
import { mayBeOfRows } from "../row-errors.ts";
import type { CopyRows } from "./copy-rows.ts";
import { limitOf, missingSql, rowsOf, whyNone } from "./delete-missing.ts";
import type { LoadTarget } from "./load-target.ts";
import { stageNumbered } from "./row-by-row.ts";
import type { RowLayouts } from "./row-layout.ts";
import { currentSnapshot, type Snapshot, writtenBefore } from "./snapshot.ts";
import { Miscount, Staging } from "./staging.ts";
import { encoded } from "./write-modes.ts";

const SEEN = "pg_temp.pawl_seen";

/**
 * Counts on a dry run which rows a load would delete as missing: keeps the keys of all items in a temporary table, on the
 * server's disk, and writes none of the items. An item whose values cannot be read shows here, one that a constraint
 * refuses does not.
 */
export class DeleteMissingDryRun implements Survey<Record<string, unknown>> {
  readonly #session: PostgresSession;
  readonly #layouts: RowLayouts;
  readonly #target: LoadTarget;
  readonly #staging: Staging;
  readonly #maxDeletes: NonNullable<PostgresOptions["maxDeletes"]>;
  readonly #before: Snapshot;
  #bad = 0;
  #leftOut = 0;

  private constructor(
    session: PostgresSession,
    layouts: RowLayouts,
    maxDeletes: PostgresOptions["maxDeletes"],
    before: Snapshot,
  ) {
    this.#before = before;
    this.#session = session;
    this.#layouts = layouts;
    this.#target = { ...layouts.target, seen: SEEN };
    this.#staging = new Staging(session, this.#target, false);
    this.#maxDeletes = maxDeletes ?? "10%";
  }

  static async begin(
    session: PostgresSession,
    layouts: RowLayouts,
    maxDeletes: PostgresOptions["maxDeletes"],
  ): Promise<DeleteMissingDryRun> {
    const columns = layouts.target.key?.columns ?? [];
    const declared = columns.map(({ name, type, collate }) => `${quoteName(name)} ${type}${collate}`);
    await session.run(`CREATE TEMP TABLE pawl_seen (${declared.join(", ")})`);
    return new DeleteMissingDryRun(session, layouts, maxDeletes, await currentSnapshot(session));
  }

  async take(chunk: Chunk<Record<string, unknown>>): Promise<void> {
    const { groups, failures } = await encoded(chunk, this.#layouts);
    this.#bad += failures.length;
    for (const rows of groups) this.#bad += await this.#keep(rows);
  }

  skip(failed: number, leftOut: number): void {
    this.#bad += failed;
    this.#leftOut += leftOut;
  }

  async finalize(): Promise<string[]> {
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
        `\`deleteMissing\` would delete nothing, for ${rows} be read: a load that quarantines rows deletes none`,
      ];
    }
    const why = whyNone(0, this.#leftOut);
    if (why !== null) return [`\`deleteMissing\` would delete nothing, for ${why}`];
    await this.#session.run(`ANALYZE ${SEEN}`);
    await this.#session.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const before = await writtenBefore(this.#session, this.#before, table.sql);
    const rows = rowsOf(this.#target);
    const names = key?.columns.map(({ name }) => quoteName(name)).join(", ");
    const { n, there, more } = await this.#session.one<{ n: number; there: number; more: number }>(
      `SELECT (SELECT pg_catalog.count(*) FROM ${rows} WHERE ${missingSql(this.#target, table.sql, SEEN)} AND ${before})::float8 AS n,
              (SELECT pg_catalog.count(*) FROM ${rows})::float8 AS there,
              (SELECT pg_catalog.count(*) FROM (SELECT DISTINCT ${names} FROM ${SEEN}) s WHERE ${missingSql(this.#target, "s", table.sql)})::float8 AS more`,
    );
    await this.#session.run("COMMIT");
    const all = there + more;
    const limit = limitOf(this.#maxDeletes, all);
    const told = `\`deleteMissing\` would delete ${n} of ${all} rows, counted over all keys of the source, if no row is refused`;
    if (n <= limit) return [told];
    return [
      `${told}; that is more than \`maxDeletes: ${this.#maxDeletes}\` allows, which is ${limit}: none would be deleted`,
    ];
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Keeps the keys of rows; returns how many of its items cannot be read. */
  async #keep(rows: CopyRows): Promise<number> {
    try {
      return (await this.#staged(rows)) ? 0 : await this.#numbered(rows);
    } catch (error) {
      throw explain(error, this.#session.url);
    }
  }

  async #staged(rows: CopyRows): Promise<boolean> {
    const sql = this.#staging.statements(rows);
    if (this.#staging.numberedOf(rows) === "json") return false;
    await this.#staging.prepare([rows], "stage");
    await this.#session.run("BEGIN");
    try {
      await this.#staging.clear(sql.stage);
      const staged = await this.#session.copy(sql.copyStage(rows.options), rows.bytes());
      if (staged !== rows.items) throw new Miscount();
      await this.#session.run(sql.keepSeen("stage") ?? "");
      await this.#commit();
      return true;
    } catch (error) {
      if (!(error instanceof Miscount) && !mayBeOfRows(error)) throw error;
      await this.#session.run("ROLLBACK");
      return false;
    }
  }

  async #numbered(rows: CopyRows): Promise<number> {
    await this.#staging.prepare([rows], "numbered");
    await this.#session.run("BEGIN");
    const unreadable = await stageNumbered(this.#staging, rows);
    await this.#session.run(this.#staging.statements(rows).keepSeen(this.#staging.numberedOf(rows)) ?? "");
    await this.#commit();
    return unreadable.length;
  }

  async #commit(): Promise<void> {
    await this.#session.run("COMMIT");
    this.#staging.committed();
  }
}
