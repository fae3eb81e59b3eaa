import {
  type ByteSpan,
  CHUNK,
  type ColumnChunk,
  ELEMENT,
  FILE,
  GROUP,
  META,
  type ParquetFooter,
  type RowGroup,
  structs,
  type TopField,
} from "./footer.ts";
import { type ColumnTest, excludes } from "./statistics.ts";
import { THRIFT, type ThriftList, type ThriftStruct, writeStruct } from "./thrift.ts";

const MAGIC = Buffer.from("PAR1");

/** Two column chunks that lie so near are fetched at once: a request takes longer than what lies between them. */
const NEAR_BYTES = 64 * 1024;

/** What of a Parquet file has to be fetched, and how a file is made of it that holds just that. */
export interface PrunedFile {
  /** Bytes of the whole file, in the order in which they come behind the first four bytes of the new one. */
  readonly spans: readonly ByteSpan[];
  /** What stands before and behind these bytes. */
  readonly head: Buffer;
  readonly foot: Buffer;
  readonly rows: number;
  /** How large the new file is. */
  readonly bytes: number;
}

/**
 * The part of a Parquet file in which some columns are, of the row groups in which rows may lie that meet all tests: as a Parquet
 * file of its own. Names are compared without regard to capitals, as engines do; null takes all columns.
 */
export function prune(
  footer: ParquetFooter,
  {
    columns,
    tests,
    rows: enough = null,
  }: {
    readonly columns: readonly string[] | null;
    readonly tests: readonly ColumnTest[];
    /** Any so many rows suffice; null for all. */
    readonly rows?: number | null;
  },
): PrunedFile {
  const fields = chosenFields(footer, columns);
  const byName = new Map(footer.fields.map((field) => [field.name.toLowerCase(), field]));
  let kept = 0;
  const groups = footer.rowGroups.filter((group) => {
    if (group.rows === 0 || (enough !== null && kept >= enough)) return false;
    const isWanted = !tests.some((test) => {
      const field = byName.get(test.column.toLowerCase());
      return field !== undefined && excludes(group, field, test);
    });
    if (isWanted) kept += group.rows;
    return isWanted;
  });
  const chunksOf = (group: RowGroup) =>
    fields.flatMap(({ leaves }) => group.chunks.slice(leaves.from, leaves.to));
  const spans = merged(groups.flatMap((group) => chunksOf(group).map(({ span }) => span)));
  const moved = movedOffsets(spans);
  const keptGroups = groups.map((group) => keptGroup(group, chunksOf(group), moved));
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const struct = writeStruct(keptFile(footer, fields, keptGroups, rows));
  const foot = Buffer.alloc(struct.length + 8);
  struct.copy(foot);
  foot.writeUInt32LE(struct.length, struct.length);
  MAGIC.copy(foot, struct.length + 4);
  const bytes = spans.reduce((sum, { length }) => sum + length, MAGIC.length + foot.length);
  return { spans, head: MAGIC, foot, rows, bytes };
}

function chosenFields(
  { fields, rowGroups }: ParquetFooter,
  columns: readonly string[] | null,
): readonly TopField[] {
  if (columns === null) return fields;
  const wanted = new Set(columns.map((name) => name.toLowerCase()));
  const chosen = fields.filter(({ name }) => wanted.has(name.toLowerCase()));
  if (chosen.length > 0) return chosen;
  // Rows without columns cannot be counted: the smallest column tells how many there are.
  const sizeOf = ({ leaves }: TopField) =>
    rowGroups.reduce(
      (sum, { chunks }) =>
        sum + chunks.slice(leaves.from, leaves.to).reduce((all, { span }) => all + span.length, 0),
      0,
    );
  const sized = fields.map((field) => ({ field, size: sizeOf(field) })).sort((a, b) => a.size - b.size);
  return sized.slice(0, 1).map(({ field }) => field);
}

/** The same bytes in as few spans as is worth it. */
function merged(spans: readonly ByteSpan[]): ByteSpan[] {
  const sorted = spans.filter(({ length }) => length > 0).sort((a, b) => a.offset - b.offset);
  const all: { offset: number; length: number }[] = [];
  for (const { offset, length } of sorted) {
    const last = all.at(-1);
    if (last !== undefined && offset - (last.offset + last.length) <= NEAR_BYTES)
      last.length = Math.max(last.length, offset + length - last.offset);
    else all.push({ offset, length });
  }
  return all;
}

/** Where what stood at an offset of the whole file stands in the new one. */
function movedOffsets(spans: readonly ByteSpan[]): (offset: number) => bigint {
  const starts: number[] = [];
  let at = MAGIC.length;
  for (const { length } of spans) {
    starts.push(at);
    at += length;
  }
  return (offset) => {
    let [low, high] = [0, spans.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((spans[middle] as ByteSpan).offset <= offset) low = middle;
      else high = middle - 1;
    }
    const span = spans[low];
    // Of a column chunk without bytes it does not matter.
    if (span === undefined) return BigInt(MAGIC.length);
    return BigInt((starts[low] as number) + (offset - span.offset));
  };
}

function keptFile(
  { struct }: ParquetFooter,
  fields: readonly TopField[],
  groups: readonly ThriftStruct[],
  rows: number,
): ThriftStruct {
  const file: ThriftStruct = new Map(struct);
  const elements = structs(struct, FILE.schema);
  const root: ThriftStruct = new Map(elements[0] as ThriftStruct);
  root.set(ELEMENT.children, { type: THRIFT.i32, value: fields.length });
  file.set(
    FILE.schema,
    list([root, ...fields.flatMap(({ elements: at }) => elements.slice(at.from, at.to))]),
  );
  file.set(FILE.rowGroups, list([...groups]));
  file.set(FILE.rows, { type: THRIFT.i64, value: BigInt(rows) });
  // They speak of columns that may be gone, such as a schema of another library.
  file.delete(FILE.keyValues);
  const orders = struct.get(FILE.orders);
  if (orders !== undefined) {
    const { items } = orders.value as ThriftList;
    file.set(
      FILE.orders,
      list(fields.flatMap(({ leaves }) => items.slice(leaves.from, leaves.to) as ThriftStruct[])),
    );
  }
  return file;
}

function keptGroup(
  { struct }: RowGroup,
  chunks: readonly ColumnChunk[],
  moved: (offset: number) => bigint,
): ThriftStruct {
  const group: ThriftStruct = new Map(struct);
  group.set(GROUP.columns, list(chunks.map((chunk) => keptChunk(chunk, moved))));
  // The numbers of the columns by which it is sorted, and its place, are others now.
  for (const id of [GROUP.sorting, GROUP.offset, GROUP.compressed]) group.delete(id);
  return group;
}

function keptChunk({ struct, meta }: ColumnChunk, moved: (offset: number) => bigint): ThriftStruct {
  const kept: ThriftStruct = new Map(meta);
  for (const id of [META.dataPage, META.dictionaryPage]) {
    const offset = Number(meta.get(id)?.value ?? 0);
    if (offset > 0) kept.set(id, { type: THRIFT.i64, value: moved(offset) });
  }
  // Indexes and filters lie elsewhere, and are not fetched: what they would spare is spared by row groups.
  for (const id of [META.indexPage, ...META.bloom]) kept.delete(id);
  const chunk: ThriftStruct = new Map(struct);
  for (const id of CHUNK.indexes) chunk.delete(id);
  chunk.set(CHUNK.offset, { type: THRIFT.i64, value: 0n });
  chunk.set(CHUNK.meta, { type: THRIFT.struct, value: kept });
  return chunk;
}

function list(items: ThriftStruct[]): { type: number; value: ThriftList } {
  return { type: THRIFT.list, value: { elementType: THRIFT.struct, items } };
}
