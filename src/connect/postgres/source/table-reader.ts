import { PawlError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";
import type { Column, Table } from "../catalog.ts";
import { explain } from "../errors.ts";
import { freshPrefix, quoteName } from "../identifier.ts";
import { optionText } from "../option-text.ts";
import type { TableRow } from "../options.ts";
import { PostgresSession } from "../session.ts";
import { exactTypes } from "../values.ts";
import { between, equal, filterSql, type Keyset, type KeyTexts, ofTable } from "./keyset.ts";

/** Which state of a row was read: its key, and the transaction that wrote it. */
export interface RowVersion {
  readonly key: KeyTexts;
  readonly xmin: string;
}

export interface ReadRow extends RowVersion {
  readonly row: TableRow;
}

/** What is read of a table, and in which order. */
export interface TableView {
  readonly table: Table;
  readonly keyset: Keyset;
  readonly columns: readonly Column[];
  readonly where: string | undefined;
}

/** The statements that read a view by its key, each from where the one before came to. */
export class TableReader {
  readonly view: TableView;
  /** Which server and database it reads; see `PostgresSession.address`. */
  readonly address: string;
  readonly #url: string;
  #session: PostgresSession | null;
  readonly #asked = new Set<Promise<unknown>>();

  private constructor(view: TableView, url: string, session: PostgresSession) {
    this.view = view;
    this.address = session.address;
    this.#url = url;
    this.#session = session;
  }

  static async open(view: TableView, url: string): Promise<TableReader> {
    return new TableReader(view, url, await PostgresSession.open(url, "pawl reader"));
  }

  /** Closes once what is being asked has been answered: chunks outlive the reading of their shard. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await Promise.allSettled(this.#asked);
    await session?.close();
  }

  /** Closes at once; what waits for an answer gets an error. */
  abort(): void {
    const session = this.#session;
    this.#session = null;
    void session?.close();
  }

  /** Where the next `limit` rows end, and how many there are; null when there are none. */
  async boundary(
    from: KeyTexts | null,
    to: KeyTexts,
    limit: number,
  ): Promise<{ end: KeyTexts; items: number } | null> {
    const values: unknown[] = [];
    const { table, keyset, where } = this.view;
    const range = between(table, keyset, from, to, values);
    const names = keyset.columns.map((column) => quoteName(column.name));
    const order = names.join(", ");
    const p = freshPrefix(keyset.columns.map((column) => column.name));
    const sql =
      `SELECT ${names.map((name) => `${name}::text`).join(", ")}, ${p}n::int4 FROM (` +
      `SELECT ${order}, pg_catalog.row_number() OVER (ORDER BY ${order}) AS ${p}n FROM ${table.sql} ` +
      `WHERE ${range}${filterSql(where)} ORDER BY ${order} ${this.#first(limit)}) ${p}page ORDER BY ${p}n DESC LIMIT 1`;
    const [last] = await this.#arrays(sql, values);
    if (last === undefined) return null;
    return { end: last.slice(0, -1) as string[], items: Number(last.at(-1)) };
  }

  /** The next rows in order, about `limit` of them. */
  async page(from: KeyTexts | null, to: KeyTexts | null, limit: number): Promise<ReadRow[]> {
    return await this.#page(this.view, from, to, limit);
  }

  async #page(
    view: TableView,
    from: KeyTexts | null,
    to: KeyTexts | null,
    limit: number,
  ): Promise<ReadRow[]> {
    const values: unknown[] = [];
    const { table, keyset, where } = view;
    const range = between(table, keyset, from, to, values);
    const order = keyset.columns.map((column) => ofTable(table, column)).join(", ");
    const sql = `SELECT ${selectList(view)} FROM ${table.sql} WHERE ${range}${filterSql(where)} ORDER BY ${order} ${this.#first(limit)}`;
    return (await this.#arrays(sql, values)).map((found) => readRow(view, found));
  }

  /** The keys of the next rows in order, about `limit` of them. */
  async keys(from: KeyTexts | null, to: KeyTexts | null, limit: number): Promise<KeyTexts[]> {
    const view = { ...this.view, columns: [] };
    return (await this.#page(view, from, to, limit)).map(({ key }) => key);
  }

  /** The row as it is now, whatever the condition says; null when it is gone. */
  async row(key: KeyTexts): Promise<ReadRow | null> {
    const values: unknown[] = [];
    const { table, keyset } = this.view;
    const condition = equal(table, keyset, key, values);
    const sql = `SELECT ${selectList(this.view)} FROM ${table.sql} WHERE ${condition} LIMIT 1`;
    const [found] = await this.#arrays(sql, values);
    return found === undefined ? null : readRow(this.view, found);
  }

  /** Rows with equal keys stay together. */
  #first(limit: number): string {
    return this.view.keyset.unique ? `LIMIT ${limit}` : `FETCH FIRST ${limit} ROWS WITH TIES`;
  }

  async #arrays(sql: string, values: readonly unknown[]): Promise<unknown[][]> {
    const own = this.#session;
    const session = own ?? (await PostgresSession.open(this.#url, "pawl reader"));
    const asked = session.arrays(sql, values, exactTypes);
    this.#asked.add(asked);
    try {
      return (await asked).rows;
    } catch (error) {
      throw explainFilter(error, this.view.table.label, this.view.where, this.#url);
    } finally {
      this.#asked.delete(asked);
      if (own === null) await session.close();
    }
  }
}

/** The key as texts, the version, and the columns, as `readRow` takes them. */
export function selectList({ table, keyset, columns }: TableView): string {
  return [
    ...keyset.columns.map((column) => `${ofTable(table, column)}::text`),
    `${table.sql}.xmin::text`,
    ...columns.map((column) => ofTable(table, column)),
  ].join(", ");
}

export function readRow({ keyset, columns }: TableView, values: readonly unknown[]): ReadRow {
  const first = keyset.columns.length;
  const row: Record<string, unknown> = {};
  for (let at = 0; at < columns.length; at++)
    setOwn(row, (columns[at] as Column).name, values[first + 1 + at]);
  return { key: values.slice(0, first) as string[], xmin: values[first] as string, row };
}

/**
 * Lets the server look at the user's condition without running it: as it will stand in brackets, and without them, so that
 * one that closes them cannot do away with the bounds of a range.
 */
export async function checkFilter(session: PostgresSession, { table, where }: TableView): Promise<void> {
  const filter = filterSql(where);
  if (where === undefined || filter === "") return;
  await session.query(`EXPLAIN SELECT FROM ${table.sql} WHERE true${filter}`);
  await session.query(`EXPLAIN SELECT FROM ${table.sql} WHERE ${where}\n`);
}

/** A condition that does not work is the user's, and can be told so. */
export function explainFilter(error: unknown, label: string, where: string | undefined, url: string): Error {
  const explained = explain(error, url);
  const code = explained instanceof PawlError ? explained.code : "";
  if (where === undefined || !/^postgres\.(42(?!501|P01)|22)/.test(code)) return explained;
  return new PawlError(
    "postgres.where",
    `The condition \`where: ${optionText(where)}\` does not work on ${label} (${(error as Error).message}): correct it.`,
    { cause: error },
  );
}
