import type { Chunk, Cursor, Origin } from "../../../batch/contract.ts";
import type { ItemError } from "../../../errors.ts";
import type { TableRow } from "../options.ts";
import { rowJson } from "../values.ts";
import { between, filterSql, type KeyTexts } from "./keyset.ts";
import type { RowVersion, TableReader, TableView } from "./table-reader.ts";

/** Rows asked for at once. */
const sliceRows = 500;

/**
 * The rows of a table after one key and up to another. They are read when a sink asks for them: one of the same
 * database may change them where they are.
 */
export class KeyRangeChunk implements Chunk<TableRow> {
  items: number;
  readonly bytes: number;
  readonly end: Cursor;
  readonly from: KeyTexts | null;
  readonly reader: TableReader;
  /** Which rows the items are, slice by slice, as JSON outside of the heap: a chunk may wait for a while to be written. */
  #slices: { readonly first: number; readonly rows: Buffer }[] = [];
  /** The slice that was read or asked for last. */
  #latest: { readonly first: number; readonly rows: readonly RowVersion[] } | null = null;

  constructor(
    reader: TableReader,
    from: KeyTexts | null,
    { end, items }: { readonly end: Cursor; readonly items: number },
    rowBytes: number,
  ) {
    this.reader = reader;
    this.from = from;
    this.end = end;
    this.items = items;
    this.bytes = Math.round(items * rowBytes);
  }

  /** The keys between which all items lie, the first not included; null where they are not a range. */
  get range(): { readonly from: KeyTexts | null; readonly to: KeyTexts } | null {
    return { from: this.from, to: this.end as KeyTexts };
  }

  get view(): TableView {
    return this.reader.view;
  }

  /** Which rows these are, as an SQL condition with its parameters appended to `values`. */
  condition(values: unknown[]): string {
    const { table, keyset, where } = this.view;
    return between(table, keyset, this.from, this.end as KeyTexts, values) + filterSql(where);
  }

  async *slices(): AsyncGenerator<readonly (TableRow | ItemError)[], void, undefined> {
    this.#slices = [];
    this.forget();
    let first = 0;
    for (let from = this.from; ; ) {
      const page = await this.reader.page(from, this.end as KeyTexts, sliceRows);
      this.holds(
        first,
        page.map(({ key, xmin }) => ({ key, xmin })),
      );
      if (page.length > 0) yield page.map(({ row }) => row);
      first += page.length;
      const last = page.at(-1);
      if (last === undefined || page.length < sliceRows) break;
      from = last.key;
    }
    this.items = first;
  }

  /** Which state of which row item `index` is; null when it has not been read. Fast for one item after the other. */
  version(index: number): RowVersion | null {
    const latest = this.#latest;
    if (latest !== null && index >= latest.first && index < latest.first + latest.rows.length)
      return latest.rows[index - latest.first] ?? null;
    const slice = this.#slices.findLast(({ first }) => first <= index);
    if (slice === undefined) return null;
    this.#latest = { first: slice.first, rows: JSON.parse(slice.rows.toString()) };
    return this.#latest.rows[index - slice.first] ?? null;
  }

  /** Lets go of what is only there to be fast. */
  forget(): void {
    this.#latest = null;
  }

  /** Notes which rows the items from `first` on are. */
  protected holds(first: number, rows: readonly RowVersion[]): void {
    this.#slices.push({ first, rows: Buffer.from(JSON.stringify(rows)) });
    this.#latest = { first, rows };
  }

  /** The keys of the rows in order, each once, to tell those apart that cannot be changed. */
  async keys(): Promise<KeyTexts[]> {
    const keys: KeyTexts[] = [];
    for (let from = this.from; ; ) {
      const page = await this.reader.keys(from, this.end as KeyTexts, sliceRows);
      for (const key of page) if (key.join("\0") !== keys.at(-1)?.join("\0")) keys.push(key);
      const last = page.at(-1);
      if (last === undefined || page.length < sliceRows) return keys;
      from = last;
    }
  }

  /**
   * For a sink that changed the rows where they are: how many there were, and which it could not change. Returns how many
   * items that makes.
   */
  recordRefused(items: number, refused: readonly KeyTexts[]): number {
    this.items = items;
    this.#slices = [];
    this.holds(
      0,
      refused.map((key) => ({ key, xmin: "0" })),
    );
    return items;
  }

  async origin(index: number): Promise<Origin> {
    const key = this.version(index)?.key ?? [];
    const row = key.length === 0 ? null : await this.reader.row(key);
    return { raw: Buffer.from(rowJson(row?.row ?? keyRow(this.view, key))), at: nameRow(this.view, key) };
  }
}

/** Such as `public.tickets id=15310`. */
function nameRow({ table, keyset }: TableView, key: KeyTexts): string {
  return `${table.label} ${keyset.columns.map((column, at) => `${column.name}=${key[at]}`).join(" ")}`;
}

function keyRow({ keyset }: TableView, key: KeyTexts): TableRow {
  return Object.fromEntries(keyset.columns.map((column, at) => [column.name, key[at]]));
}
