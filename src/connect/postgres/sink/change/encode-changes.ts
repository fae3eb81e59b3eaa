import type { Chunk, Failure, Origin } from "../../../../batch/contract.ts";
import { ItemError, PawlError } from "../../../../errors.ts";
import { suggest } from "../../../../near-names.ts";
import { own } from "../../../../own.ts";
import { type Column, matchColumn } from "../../catalog.ts";
import { KeyRangeChunk } from "../../source/key-range.ts";
import { toText } from "../../values.ts";
import { asItem, unstorable } from "../load/encode-items.ts";
import { assertUnique, type ChangeTarget } from "./change-target.ts";

type Item = Readonly<Record<string, unknown>>;

/** Items that bring the same columns, as PostgreSQL's texts: a list for each column. */
export interface RowBatch {
  /** The key's columns first. */
  readonly columns: readonly Column[];
  readonly values: readonly TextColumn[];
  /** Which item of the chunk each row is. */
  readonly indices: readonly number[];
  readonly versioned: boolean;
  /** The transaction that wrote the row as the transform saw it; null where that is not to be compared. */
  readonly versions: TextColumn;
}

/** A batch that grows. */
interface OpenBatch extends RowBatch {
  readonly indices: number[];
  /** Rows that gave way to a later one with the same key. */
  readonly dropped: Set<number>;
}

/** The items of a chunk as texts by column, so that they need not be held as objects until they are written. */
export class EncodedChanges implements Chunk<Item> {
  readonly items: number;
  readonly bytes: number;
  readonly end: Chunk<Item>["end"];
  readonly batches: readonly RowBatch[];
  /** Items with a value that no column could hold, or with the key of a later one. */
  readonly failures: readonly Failure[];
  readonly duplicates: number;
  readonly source: Chunk<unknown>;
  /** The rows of the target that the items were made from; null where they come from elsewhere. */
  readonly rows: KeyRangeChunk | null;

  constructor(chunk: Chunk<unknown>, packing: ChangeEncoder) {
    this.items = chunk.items;
    this.bytes = chunk.bytes;
    this.end = chunk.end;
    this.source = chunk;
    this.rows = packing.rows;
    this.batches = packing.batches;
    this.failures = packing.failures;
    this.duplicates = packing.duplicates;
  }

  // biome-ignore lint/correctness/useYield: there is nothing left to give
  async *slices(): AsyncGenerator<readonly Item[]> {
    throw new Error("The items of an encoded chunk are gone.");
  }

  origin(index: number): Promise<Origin> {
    return this.source.origin(index);
  }
}

/** Takes the items of a chunk in, in order. */
export async function encodeChanges(chunk: Chunk<unknown>, target: ChangeTarget): Promise<EncodedChanges> {
  assertUnique(target.table, target.keyset);
  const packing = new ChangeEncoder(target, chunk);
  for await (const slice of chunk.slices()) for (const item of slice) packing.add(item);
  packing.rows?.forget();
  target.transformCheck.assertSomeFit(packing.items, packing.failures);
  return new EncodedChanges(chunk, packing);
}

/** A single item, made again from a newer version of its row, which is locked. */
export function encodeOne(item: unknown, index: number, target: ChangeTarget): RowBatch | Failure {
  const packing = new ChangeEncoder(target, null);
  packing.add(item);
  const [batch] = packing.batches;
  if (batch === undefined) return { ...(packing.failures[0] as Failure), index };
  return { ...batch, indices: [index] };
}

/** How the values of items with the same names go into columns. */
interface ItemColumns {
  readonly names: readonly string[];
  /** The key's columns first. */
  readonly columns: readonly Column[];
  /** The position of each name among the columns; null for a value that is not written. */
  readonly fields: readonly (number | null)[];
}

class ChangeEncoder {
  readonly #open: OpenBatch[] = [];
  readonly failures: Failure[] = [];
  duplicates = 0;
  readonly #target: ChangeTarget;
  readonly #made: Chunk<unknown>["transformed"];
  readonly rows: KeyRangeChunk | null;
  #index = 0;
  #layout: ItemColumns | null = null;
  #batch: OpenBatch | null = null;
  /** Of rows without a version to compare: the last one of each key. */
  readonly #loose = new Map<string, { batch: OpenBatch; at: number }>();
  #lastSource = -1;

  constructor(target: ChangeTarget, chunk: Chunk<unknown> | null) {
    this.#target = target;
    this.#made = chunk?.transformed;
    this.rows = rowsOf(chunk, target);
  }

  /** How many were taken in. */
  get items(): number {
    return this.#index;
  }

  add(value: unknown): void {
    const index = this.#index++;
    if (value instanceof ItemError) {
      this.failures.push({ index, reason: value.message, code: value.code });
      return;
    }
    let layout: ItemColumns;
    let texts: (string | null)[];
    try {
      const item = asItem(value);
      layout = this.#layoutOf(item);
      const { names, columns } = layout;
      texts = layout.columns.map(() => null);
      layout.fields.forEach((to, at) => {
        if (to !== null) texts[to] = textOf(own(item, names[at] as string), columns[to] as Column);
      });
    } catch (error) {
      this.failures.push({ index, ...unstorable(error) });
      return;
    }
    const version = this.#version(index, texts);
    const batch = this.#batchFor(layout, version !== null);
    texts.forEach((text, at) => {
      batch.values[at]?.push(text);
    });
    batch.versions.push(version);
    batch.indices.push(index);
    if (version === null) this.#remember(texts, { batch, at: batch.indices.length - 1 });
  }

  /** Of several rows for one key the last one wins: the others are taken out. */
  get batches(): RowBatch[] {
    return this.#open.map((batch) => {
      const { dropped } = batch;
      if (dropped.size === 0) return batch;
      const without = (column: TextColumn) => column.without(dropped);
      const indices = batch.indices.filter((_, at) => !dropped.has(at));
      return { ...batch, values: batch.values.map(without), versions: without(batch.versions), indices };
    });
  }

  /** The version of the row that the item was made from, where it is that row's first result and keeps its key. */
  #version(index: number, texts: readonly (string | null)[]): string | null {
    const source = this.#made?.sourceIndex(index) ?? index;
    const isFirst = source !== this.#lastSource;
    this.#lastSource = source;
    const read = this.rows?.version(source);
    if (!isFirst || read === undefined || read === null) return null;
    return read.key.every((text, at) => text === texts[at]) ? read.xmin : null;
  }

  #remember(texts: readonly (string | null)[], row: { batch: OpenBatch; at: number }): void {
    const { columns } = this.#target.keyset;
    const id = columns.map((column, at) => canonical(texts[at] ?? null, column)).join("\0");
    const before = this.#loose.get(id);
    this.#loose.set(id, row);
    if (before === undefined) return;
    before.batch.dropped.add(before.at);
    this.duplicates++;
  }

  /** Consecutive items with the same names share a batch; those with a version, and those without. */
  #batchFor(layout: ItemColumns, versioned: boolean): OpenBatch {
    const now = this.#batch;
    if (now !== null && now.columns === layout.columns && now.versioned === versioned) return now;
    const { columns } = layout;
    const made = {
      columns,
      versioned,
      values: columns.map(() => new TextColumn()),
      indices: [],
      versions: new TextColumn(),
      dropped: new Set<number>(),
    };
    this.#batch = made;
    this.#open.push(made);
    return made;
  }

  #layoutOf(item: Item): ItemColumns {
    const names = Object.keys(item).filter((name) => own(item, name) !== undefined);
    const last = this.#layout;
    if (last?.names.length === names.length && names.every((name, at) => name === last.names[at]))
      return last;
    this.#layout = { names, ...columnsOf(names, this.#target) };
    return this.#layout;
  }
}

/** The rows that a chunk was read from, where they are those of the target. */
function rowsOf(chunk: Chunk<unknown> | null, target: ChangeTarget): KeyRangeChunk | null {
  const from = chunk?.transformed?.from ?? chunk;
  if (!(from instanceof KeyRangeChunk) || from.reader.address !== target.address) return null;
  const { table, keyset } = from.view;
  if (table.oid !== target.table.oid || keyset.columns.length !== target.keyset.columns.length) return null;
  return keyset.columns.every(({ name }, at) => name === target.keyset.columns[at]?.name) ? from : null;
}

function columnsOf(
  names: readonly string[],
  { table, keyset, change, set }: ChangeTarget,
): { columns: Column[]; fields: (number | null)[] } {
  const columns = [...keyset.columns];
  const fields = names.map((name): number | null => {
    const column = matchColumn(table, name);
    if (column === null) {
      const all = table.columns.map((each) => each.name);
      throw new PawlError(
        "postgres.unknown-column",
        `${table.label} has no column for "${name}" of what the transform returns: ${suggest(name, all, `its columns are ${all.join(", ")}.`)}`,
      );
    }
    const key = keyset.columns.findIndex((each) => each.name === column.name);
    if (key >= 0) return key;
    const follows = column.generated || column.identity === "always";
    if (change === "delete" || follows || set.some((each) => each.column.name === column.name)) return null;
    columns.push(column);
    return columns.length - 1;
  });
  const missing = keyset.columns.find((_, at) => !fields.includes(at));
  if (missing !== undefined) {
    throw new PawlError(
      "postgres.key-missing",
      `What the transform returns has no "${missing.name}", by which rows of ${table.label} are found: return it too, such as { ${missing.name}: row.${missing.name}, … }.`,
    );
  }
  if (change === "update" && set.length === 0 && columns.length === keyset.columns.length) {
    throw new PawlError(
      "postgres.nothing-to-change",
      `What the transform returns has no column of ${table.label} to change besides the key: return one, or return nothing to leave the row alone.`,
    );
  }
  return { columns, fields };
}

function textOf(value: unknown, column: Column): string | null {
  const text = toText(value, column);
  if (text?.includes("\0")) throw new TypeError("a text with a zero byte cannot be stored");
  return text;
}

/** One text for the spellings of a whole number or a UUID; other types are taken as they are written. */
function canonical(text: string | null, column: Column): string {
  if (text === null) return "\x01";
  if (/^int[248]$/.test(column.base ?? "") && /^\s*[+-]?\d+\s*$/.test(text))
    return String(BigInt(text.trim().replace("+", "")));
  if (column.base === "uuid") return text.toLowerCase().replaceAll(/[{}-]/g, "");
  return text;
}

/** PostgreSQL's number of the type text, from `pg_type.dat`. */
const textType = 25;
const headerBytes = 20;

/**
 * Texts as a parameter of type `text[]` in the binary form of the protocol (`array_recv` in PostgreSQL's source): a
 * header, then each text behind its length. It is built outside of the heap as the texts come, so that a chunk that waits
 * to be written holds no strings that the collector would have to carry along.
 */
export class TextColumn {
  length = 0;
  #bytes = Buffer.allocUnsafe(4096);
  #end = headerBytes;
  #hasNull = false;

  push(text: string | null): void {
    const most = text === null ? 4 : 4 + text.length * 3;
    if (this.#end + most > this.#bytes.length) this.#grow(most);
    if (text === null) {
      this.#hasNull = true;
      this.#bytes.writeInt32BE(-1, this.#end);
      this.#end += 4;
    } else {
      const size = this.#bytes.write(text, this.#end + 4);
      this.#bytes.writeInt32BE(size, this.#end);
      this.#end += 4 + size;
    }
    this.length++;
  }

  /** One of the texts; takes time, and is meant for few. */
  at(index: number): string | null {
    let found: string | null = null;
    this.#each((text, at) => {
      if (at === index) found = text();
    });
    return found;
  }

  /** The same texts without some. */
  without(dropped: ReadonlySet<number>): TextColumn {
    const kept = new TextColumn();
    this.#each((text, at) => {
      if (!dropped.has(at)) kept.push(text());
    });
    return kept;
  }

  /** As a parameter of a query. */
  parameter(): Buffer {
    const bytes = this.#bytes;
    bytes.writeInt32BE(this.length === 0 ? 0 : 1, 0);
    bytes.writeInt32BE(this.#hasNull ? 1 : 0, 4);
    bytes.writeInt32BE(textType, 8);
    bytes.writeInt32BE(this.length, 12);
    bytes.writeInt32BE(1, 16);
    return bytes.subarray(0, this.length === 0 ? 12 : this.#end);
  }

  #each(visit: (text: () => string | null, at: number) => void): void {
    let offset = headerBytes;
    for (let at = 0; at < this.length; at++) {
      const size = this.#bytes.readInt32BE(offset);
      const start = offset + 4;
      visit(() => (size < 0 ? null : this.#bytes.toString("utf8", start, start + size)), at);
      offset = start + Math.max(0, size);
    }
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + more));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
