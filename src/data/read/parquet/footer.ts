import { PawlError } from "../../../errors.ts";
import { THRIFT, ThriftReader, type ThriftStruct, type ThriftValue } from "./thrift.ts";

/** The bytes behind the footer: its length, and the four letters by which a Parquet file ends. */
export const TAIL_BYTES = 8;
const MAGIC = "PAR1";
const ENCRYPTED_MAGIC = "PARE";

/** The numbers of fields in parquet.thrift of the Parquet format. */
export const FILE = {
  version: 1,
  schema: 2,
  rows: 3,
  rowGroups: 4,
  keyValues: 5,
  createdBy: 6,
  orders: 7,
  encryption: 8,
};
export const ELEMENT = { type: 1, repetition: 3, name: 4, children: 5, converted: 6, scale: 7, logical: 10 };
export const GROUP = { columns: 1, bytes: 2, rows: 3, sorting: 4, offset: 5, compressed: 6 };
export const CHUNK = { path: 1, offset: 2, meta: 3, indexes: [4, 5, 6, 7], crypto: 8, encrypted: 9 };
export const META = {
  type: 1,
  path: 3,
  values: 5,
  compressed: 7,
  dataPage: 9,
  indexPage: 10,
  dictionaryPage: 11,
  statistics: 12,
  bloom: [14, 15],
};

/** Bytes of a file. */
export interface ByteSpan {
  readonly offset: number;
  readonly length: number;
}

/** A field of the rows, with all that is nested in it. */
export interface TopField {
  readonly name: string;
  /** Its elements in the list of the schema. */
  readonly elements: { readonly from: number; readonly to: number };
  /** Its leaves, which are the numbers of its column chunks in each row group. */
  readonly leaves: { readonly from: number; readonly to: number };
  /** What describes it: the element itself. */
  readonly element: ThriftStruct;
  /** Whether it is one value a row, neither nested nor repeated. */
  readonly isPlain: boolean;
}

export interface RowGroup {
  readonly struct: ThriftStruct;
  readonly rows: number;
  /** A column chunk for each leaf. */
  readonly chunks: readonly ColumnChunk[];
}

export interface ColumnChunk {
  readonly struct: ThriftStruct;
  readonly meta: ThriftStruct;
  /** Its pages, that of its dictionary included. */
  readonly span: ByteSpan;
}

/** What the end of a Parquet file says of it; checked, so that all that it names lies in the file. */
export interface ParquetFooter {
  readonly struct: ThriftStruct;
  readonly fields: readonly TopField[];
  readonly rowGroups: readonly RowGroup[];
  readonly rows: number;
}

/** How long the footer is by the last bytes of a file. Errors: `data.corrupt`, `data.encrypted`. */
export function footerLength(tail: Buffer, fileBytes: number, name: string): number {
  const magic = tail.toString("latin1", tail.length - 4);
  if (magic === ENCRYPTED_MAGIC) throw encrypted(name);
  if (fileBytes < 4 + TAIL_BYTES || tail.length < TAIL_BYTES || magic !== MAGIC)
    throw corrupt(name, "it does not end as a Parquet file does");
  const length = tail.readUInt32LE(tail.length - TAIL_BYTES);
  if (length > fileBytes - 4 - TAIL_BYTES)
    throw corrupt(name, `its footer would be of ${length} bytes, and the file has ${fileBytes}`);
  return length;
}

/** Parses a footer of a file of so many bytes. Errors: `data.corrupt`, `data.encrypted`. */
export function parseFooter(bytes: Buffer, fileBytes: number, name: string): ParquetFooter {
  try {
    const struct = new ThriftReader(bytes).struct();
    const dataEnd = fileBytes - TAIL_BYTES - bytes.length;
    return checked(struct, dataEnd, name);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    throw corrupt(name, `its footer cannot be read (${(error as Error).message})`, error);
  }
}

function checked(struct: ThriftStruct, dataEnd: number, name: string): ParquetFooter {
  if (struct.has(FILE.encryption)) throw encrypted(name);
  const { fields, leaves } = fieldsOf(structs(struct, FILE.schema));
  const isPadded = /^parquet-mr version 1\.[0-2]\./.test(text(struct, FILE.createdBy));
  const rowGroups = structs(struct, FILE.rowGroups).map((group): RowGroup => {
    const chunks = structs(group, GROUP.columns);
    if (chunks.length !== leaves)
      throw new RangeError(`a row group has ${chunks.length} columns of ${leaves}`);
    return {
      struct: group,
      rows: count(group, GROUP.rows),
      chunks: chunks.map((chunk) => chunkOf(chunk, dataEnd, isPadded, name)),
    };
  });
  const rows = count(struct, FILE.rows);
  const sum = rowGroups.reduce((total, group) => total + group.rows, 0);
  if (sum !== rows) throw new RangeError(`it says to have ${rows} rows, and its row groups have ${sum}`);
  return { struct, fields, rowGroups, rows };
}

/** The fields of the root, from the list in which the tree of the schema is written. */
function fieldsOf(elements: readonly ThriftStruct[]): { fields: TopField[]; leaves: number } {
  const [root] = elements;
  if (root === undefined) throw new RangeError("it has no schema");
  const children = count(root, ELEMENT.children);
  const fields: TopField[] = [];
  let at = 1;
  let leaves = 0;
  for (let n = 0; n < children; n++) {
    const from = at;
    const firstLeaf = leaves;
    for (let open = 1; open > 0; open--) {
      const element = elements[at++];
      if (element === undefined) throw new RangeError("its schema ends too early");
      const inner = element.has(ELEMENT.children) ? count(element, ELEMENT.children) : 0;
      if (inner === 0) leaves++;
      open += inner;
    }
    const element = elements[from] as ThriftStruct;
    const isPlain = at === from + 1 && number(element, ELEMENT.repetition) !== REPEATED;
    fields.push({
      name: text(element, ELEMENT.name),
      elements: { from, to: at },
      leaves: { from: firstLeaf, to: leaves },
      element,
      isPlain,
    });
  }
  if (at !== elements.length) throw new RangeError("its schema has elements that belong to no field");
  return { fields, leaves };
}

const REPEATED = 2;

/** Writers of old forgot the header of the dictionary's page in the length of a chunk; no header is longer. */
const FORGOTTEN_BYTES = 100;

function chunkOf(struct: ThriftStruct, dataEnd: number, isPadded: boolean, name: string): ColumnChunk {
  if (struct.has(CHUNK.crypto) || struct.has(CHUNK.encrypted)) throw encrypted(name);
  if (text(struct, CHUNK.path) !== "") throw new RangeError("its data is in another file");
  const meta = child(struct, CHUNK.meta);
  const dataPage = count(meta, META.dataPage);
  const dictionaryPage = meta.has(META.dictionaryPage) ? count(meta, META.dictionaryPage) : 0;
  const offset = dictionaryPage > 0 && dictionaryPage < dataPage ? dictionaryPage : dataPage;
  const length = count(meta, META.compressed);
  if (offset < 4 || offset + length > dataEnd || dataPage > offset + length)
    throw new RangeError(
      `a column would lie in the bytes ${offset} to ${offset + length}, and all of its data ends at ${dataEnd}`,
    );
  return {
    struct,
    meta,
    span: { offset, length: isPadded ? Math.min(length + FORGOTTEN_BYTES, dataEnd - offset) : length },
  };
}

// --- fields of a struct; throw a RangeError where one is not what the format says

function child(struct: ThriftStruct, id: number): ThriftStruct {
  const value = struct.get(id)?.value;
  if (!(value instanceof Map)) throw new RangeError(`field ${id} is missing`);
  return value;
}

export function structs(struct: ThriftStruct, id: number): ThriftStruct[] {
  const field = struct.get(id);
  if (field?.type !== THRIFT.list) throw new RangeError(`field ${id} is missing`);
  const { elementType, items } = field.value as { elementType: number; items: ThriftValue[] };
  if (items.length > 0 && elementType !== THRIFT.struct) throw new RangeError(`field ${id} has a wrong type`);
  return items as ThriftStruct[];
}

/** A number that counts something. */
function count(struct: ThriftStruct, id: number): number {
  const value = struct.get(id)?.value;
  const found = typeof value === "bigint" || typeof value === "number" ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(found) || found < 0) throw new RangeError(`field ${id} is not a count`);
  return found;
}

export function number(struct: ThriftStruct, id: number): number | null {
  const value = struct.get(id)?.value;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
}

function text(struct: ThriftStruct, id: number): string {
  const value = struct.get(id)?.value;
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.length).toString("utf8")
    : "";
}

export function corrupt(name: string, why: string, cause?: unknown): PawlError {
  return new PawlError(
    "data.corrupt",
    `${name} is cut off, damaged, or not a Parquet file: ${why}. Fetch or write it again.`,
    { cause },
  );
}

function encrypted(name: string): PawlError {
  return new PawlError("data.encrypted", `${name} is an encrypted Parquet file, which cannot be read here.`);
}
