import type { Failure, WriteOutcome } from "../../../../batch/contract.ts";
import { ItemError, TransientError } from "../../../../errors.ts";
import type { Column } from "../../catalog.ts";
import { comparison, differsSql } from "../../comparison.ts";
import { freshPrefix, quoteName } from "../../identifier.ts";
import type { PostgresSession } from "../../session.ts";
import type { KeyRangeChunk } from "../../source/key-range.ts";
import { between, filterSql, ofTable } from "../../source/keyset.ts";
import { readRow, selectList } from "../../source/table-reader.ts";
import { exactTypes } from "../../values.ts";
import { searchBadRows } from "../bad-row-search.ts";
import { failureOf, rowErrorOf } from "../row-errors.ts";
import { setSql } from "./change-range.ts";
import { assertKeysStayed, type ChangeTarget } from "./change-target.ts";
import { type EncodedChanges, encodeOne, type RowBatch } from "./encode-changes.ts";

/**
 * Changes the rows that items name, each only if it is still as the transform saw it. One that has changed since is locked,
 * transformed again as it is now, and then changed. Leaves the transaction open.
 */
export async function changeRows(
  session: PostgresSession,
  target: ChangeTarget,
  packed: EncodedChanges,
): Promise<WriteOutcome> {
  const work = new RowsWork(session, target, packed);
  for (const batch of packed.batches) await work.apply(batch);
  const { written, unchanged, skipped, failures } = work;
  return {
    written,
    unchanged,
    skipped: skipped + packed.duplicates,
    duplicates: packed.duplicates,
    failures: [...packed.failures, ...failures],
  };
}

class RowsWork {
  written = 0;
  unchanged = 0;
  skipped = 0;
  readonly failures: Failure[] = [];
  readonly #session: PostgresSession;
  readonly #target: ChangeTarget;
  readonly #packed: EncodedChanges;

  constructor(session: PostgresSession, target: ChangeTarget, packed: EncodedChanges) {
    this.#session = session;
    this.#target = target;
    this.#packed = packed;
  }

  async apply(batch: RowBatch): Promise<void> {
    const refused = await searchBadRows({
      numbers: [...batch.indices.keys()],
      table: this.#target.table,
      attempt: ({ numbers }, trial) =>
        rowErrorOf(async () => {
          const change = () => this.#part(batch, numbers);
          const part = await this.#session.savepoint(change, { trial, checked: true });
          if (!trial) this.#count(part);
        }),
    });
    for (const [at, error] of refused) this.failures.push(failureOf(batch.indices[at] as number, error));
  }

  #count(part: Part): void {
    this.written += part.written;
    this.unchanged += part.unchanged;
    this.skipped += part.skipped;
    this.failures.push(...part.failures);
  }

  async #part(batch: RowBatch, at: readonly number[]): Promise<Part> {
    const part: Part = { written: 0, unchanged: 0, skipped: 0, failures: [] };
    const range = batch.versioned ? (this.#packed.rows?.range ?? null) : null;
    const sql = new ChangeStatements(this.#target, batch, at, range);
    if (range === null)
      await this.#session.run("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off");
    const { rows } = await this.#session.query<{ n: number; moved: number; done: number[] | null }>(
      sql.change(),
      sql.values,
    );
    const { n: count, moved } = rows[0] ?? { n: 0, moved: 0 };
    assertKeysStayed(this.#target.table, this.#target.keyset, moved);
    part.written = count;
    if (count === at.length) return part;
    const done = new Set(rows[0]?.done ?? []);
    const examined = await this.#session.query<{ n: number; stale: boolean; differs: boolean }>(
      sql.examine(),
      sql.values,
    );
    const seen = new Map(examined.rows.map((row) => [row.n, row]));
    for (const one of at) {
      const n = one + 1;
      if (done.has(n)) continue;
      const found = seen.get(n);
      // Gone, or kept as it is by a trigger.
      if (found === undefined || (!found.stale && found.differs)) part.skipped++;
      else if (found.stale) await this.#again(batch, one, part);
      else part.unchanged++;
    }
    return part;
  }

  /** The row of an item has changed since the transform saw it. */
  async #again(batch: RowBatch, at: number, part: Part): Promise<void> {
    const index = batch.indices[at] as number;
    const { rows, source } = this.#packed;
    const fresh = rows === null ? null : await this.#lock(rows, batch, at);
    if (fresh === null) {
      part.skipped++;
      return;
    }
    const results = source.transformed === undefined ? [fresh] : await source.transformed.again(fresh);
    if (results instanceof ItemError) {
      part.failures.push({ index, reason: results.message, code: results.code });
      return;
    }
    const [result, more] = results;
    if (more !== undefined) {
      throw new TransientError("postgres.changed", "A row that gives several results was changed meanwhile.");
    }
    if (result === undefined) {
      part.skipped++;
      return;
    }
    const one = encodeOne(result, index, this.#target);
    if (!("values" in one)) part.failures.push(one);
    else {
      const own = await this.#part(one, [0]);
      part.written += own.written;
      part.unchanged += own.unchanged;
      part.skipped += own.skipped;
    }
  }

  /** The row as it is now, locked; null when it is gone or no longer meets the condition. */
  async #lock({ view }: KeyRangeChunk, batch: RowBatch, at: number): Promise<unknown> {
    const { table, keyset, where } = view;
    const values = keyset.columns.map((_, column) => batch.values[column]?.at(at));
    const equal = keyset.columns.map(
      (column, index) =>
        `${ofTable(table, column)} ${comparison("=", [column])} $${index + 1}::${column.looseType}`,
    );
    const sql = `SELECT ${selectList(view)} FROM ${table.sql} WHERE ${equal.join(" AND ")}${filterSql(where)} FOR UPDATE`;
    const [found] = (await this.#session.arrays(sql, values, exactTypes)).rows;
    return found === undefined ? null : readRow(view, found).row;
  }
}

interface Part {
  written: number;
  unchanged: number;
  skipped: number;
  readonly failures: Failure[];
}

/** The SQL for some rows of a batch: they come as arrays of texts, one for each column. */
class ChangeStatements {
  readonly values: unknown[] = [];
  readonly #target: ChangeTarget;
  readonly #batch: RowBatch;
  readonly #items: string;
  readonly #match: string;
  readonly #sameKey: string;
  readonly #count: number;
  readonly #prefix: string;

  constructor(target: ChangeTarget, batch: RowBatch, at: readonly number[], range: KeyRangeChunk["range"]) {
    this.#target = target;
    this.#batch = batch;
    this.#count = at.length;
    const { table, keyset } = target;
    const p = freshPrefix(table.columns.map((column) => column.name));
    this.#prefix = p;
    for (const values of [...batch.values, batch.versions]) this.values.push(values.parameter());
    const count = batch.columns.length;
    const arrays = this.values.map((_, at) => `$${at + 1}::text[]`).join(", ");
    const names = batch.columns.map((_, at) => `t${at}`).join(", ");
    const typed = batch.columns.map((column, at) => `t${at}::${column.looseType} AS ${p}${at}`).join(", ");
    const part =
      this.#count === batch.indices.length
        ? ""
        : ` WHERE ${p}n = ANY ('{${at.map((one) => one + 1).join(",")}}'::int8[])`;
    this.#items =
      `(SELECT ${p}n::int4, ${typed}, t${count}::xid AS ${p}version ` +
      `FROM unnest(${arrays}) WITH ORDINALITY AS ${p}texts(${names}, t${count}, ${p}n)${part}) ${p}item`;
    const equal = keyset.columns.map(
      (column, at) => `${ofTable(table, column)} ${comparison("=", [column])} ${p}${at}`,
    );
    this.#sameKey = equal.join(" AND ");
    // Within their range the rows are read in one go rather than looked up one by one.
    if (range !== null) equal.push(between(table, keyset, range.from, range.to, this.values));
    this.#match = equal.join(" AND ");
  }

  /** Returns how many rows it changed, and, where these are not all, the numbers of theirs from 1. */
  change(): string {
    const { table, change, set, keyMayChange: moving } = this.#target;
    const p = this.#prefix;
    const moved = moving ? `(${this.#sameKey}) IS NOT TRUE` : "false";
    const asRead = `(${p}version IS NULL OR ${table.sql}.xmin = ${p}version)`;
    const given = this.#given();
    const statement =
      change === "delete"
        ? `DELETE FROM ${table.sql} USING ${this.#items} WHERE ${this.#match} AND ${asRead}`
        : `UPDATE ${table.sql} SET ${[
            ...given.map((column) => `${quoteName(column.name)} = ${this.#valueOf(column)}`),
            ...setSql(set),
          ].join(
            ", ",
          )} FROM ${this.#items} WHERE ${this.#match} AND ${asRead}${given.length > 0 ? ` AND ${this.#differs()}` : ""}`;
    return (
      `WITH ${p}done AS (${statement} RETURNING ${p}n, ${moved} AS ${p}moved) SELECT pg_catalog.count(*)::int AS n, ` +
      `(pg_catalog.count(*) FILTER (WHERE ${p}moved))::int AS moved, ` +
      `CASE WHEN pg_catalog.count(*) < ${this.#count} THEN pg_catalog.array_agg(${p}n) END AS done FROM ${p}done`
    );
  }

  /** For the rows that are there: whether they have changed since they were read, and whether they differ. */
  examine(): string {
    const { table, change } = this.#target;
    const p = this.#prefix;
    const differs = change === "delete" || this.#given().length === 0 ? "true" : this.#differs();
    return (
      `SELECT ${p}n AS n, coalesce(${table.sql}.xmin <> ${p}version, false) AS stale, ${differs} AS differs ` +
      `FROM ${this.#items} JOIN ${table.sql} ON ${this.#match}`
    );
  }

  #given(): readonly Column[] {
    return this.#batch.columns.slice(this.#target.keyset.columns.length);
  }

  #valueOf(column: Column): string {
    return `${this.#prefix}item.${this.#prefix}${this.#batch.columns.indexOf(column)}`;
  }

  #differs(): string {
    const { table, set } = this.#target;
    const parts = set.flatMap(({ column, expression, compared }) =>
      compared
        ? [differsSql(table.sql, [column], () => `CAST((${expression}\n) AS ${column.looseType})`)]
        : [],
    );
    return `(${[differsSql(table.sql, this.#given(), (column) => this.#valueOf(column)), ...parts].join(" OR ")})`;
  }
}
