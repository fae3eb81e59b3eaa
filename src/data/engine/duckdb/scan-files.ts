import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { compressionOf, Decompressor } from "../../../connect/csv/internal.ts";
import { errorText } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { suggest } from "../../../near-names.ts";
import type { CsvFormat, FileScan } from "../../plan/node.ts";
import type { ColumnField } from "../../schema/column-type.ts";
import { CSV, type FileGroup, fileFields } from "./scan-sql.ts";

/** Files that are opened at once to look at their beginnings. */
const OPENED_AT_ONCE = 8;
/** Bytes of a file in which the first record must end. */
const LONGEST_HEADER = 4 * 1024 ** 2;

/** What a file was when the plan was made ready: another one after the query means that it read a mixture. */
export interface ScannedFile {
  readonly path: string;
  readonly size: bigint;
  readonly changed: bigint;
  readonly inode: bigint;
}

/** What a file is now. Rejects with PawlError("data.no-file") where it is not there. */
export async function identityOf(path: string): Promise<ScannedFile> {
  try {
    const found = await stat(path, { bigint: true });
    if (found.isDirectory())
      throw new PawlError("data.no-file", `${path} is a folder: name its files, such as ${path}/*.parquet.`);
    return { path, size: found.size, changed: found.mtimeNs, inode: found.ino };
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new PawlError(
      "data.no-file",
      code === "ENOENT" ? `There is no file ${path}.` : `${path} cannot be read: ${errorText(error)}.`,
      { cause: error },
    );
  }
}

/** Throws PawlError("data.changed") where a file is not what it was. */
export async function assertUnchanged(before: readonly ScannedFile[]): Promise<void> {
  await inParallel(before, async (file) => {
    const now = await identityOf(file.path);
    if (now.size !== file.size || now.changed !== file.changed || now.inode !== file.inode)
      throw new PawlError("data.changed", `${file.path} was changed while it was read: run it again.`);
  });
}

/** Works on items, some at once, and keeps their order. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++)
      results[index] = await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(OPENED_AT_ONCE, items.length) }, worker));
  return results;
}

/** The files of a scan of text, those with the same columns in the same places together. Empty files are left out. */
export async function groupsOf(
  scan: FileScan,
  identities: readonly ScannedFile[],
): Promise<readonly FileGroup[]> {
  const declared = fileFields(scan);
  const format = scan.csv ?? CSV;
  const seen = await inParallel(identities, async ({ path, size }) => {
    if (size === 0n) return null;
    const compression = await compressionOfFile(path);
    if (scan.format === "jsonl" || !format.header) return { path, compression, header: null };
    const header = await headerOf(path, compression, format);
    return header === null ? null : { path, compression, header };
  });
  const groups: {
    files: string[];
    columns: readonly (ColumnField | null)[];
    compression: FileGroup["compression"];
  }[] = [];
  for (const file of seen) {
    if (file === null) continue;
    const columns = file.header === null ? declared : columnsOf(file.header, declared, file.path);
    const last = groups.at(-1);
    const alike =
      last !== undefined &&
      last.compression === file.compression &&
      last.columns.length === columns.length &&
      last.columns.every((column, index) => column?.name === columns[index]?.name);
    if (alike) last.files.push(file.path);
    else groups.push({ files: [file.path], columns, compression: file.compression });
  }
  return groups;
}

/** The declared fields in the order of a header. */
function columnsOf(
  header: readonly string[],
  declared: readonly ColumnField[],
  path: string,
): readonly (ColumnField | null)[] {
  const byName = new Map(declared.map((field) => [field.name, field]));
  const found = new Set<string>();
  const columns = header.map((name) => {
    const field = byName.get(name) ?? null;
    if (field === null) return null;
    if (found.has(name))
      throw new PawlError(
        "data.columns",
        `${path} has two columns ${JSON.stringify(name)}: rename one of them.`,
      );
    found.add(name);
    return field;
  });
  const missing = declared.find(({ name }) => !found.has(name));
  if (missing !== undefined) {
    const names =
      header.length > 12
        ? `${header.slice(0, 12).join(", ")} and ${header.length - 12} more`
        : header.join(", ");
    throw new PawlError(
      "data.columns",
      `${path} has no column ${JSON.stringify(missing.name)}: ${suggest(missing.name, [...header], `its first line has ${names}.`)}`,
    );
  }
  return columns;
}

/** How a file is packed, by its first bytes. */
async function compressionOfFile(path: string): Promise<FileGroup["compression"]> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    const head = Buffer.alloc(4);
    const { bytesRead } = await handle.read(head, 0, 4, 0);
    return compressionOf(head.subarray(0, bytesRead)) ?? (isSkippable(head) ? "zstd" : "none");
  } finally {
    await handle?.close();
  }
}

/** Zstandard files may begin with a frame that holds no data. */
function isSkippable(head: Buffer): boolean {
  return (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50;
}

/** The bytes of a file, unpacked. Throws where its packed data is damaged or cut off. */
export async function* unpackedBytes(
  path: string,
  compression: FileGroup["compression"],
): AsyncGenerator<Buffer> {
  const stored = createReadStream(path, { highWaterMark: 256 * 1024 });
  const bytes = (async function* () {
    for await (const piece of stored) yield piece as Buffer;
  })();
  try {
    if (compression === "none") yield* bytes;
    else yield* new Decompressor(compression, { name: basename(path), pipe: false, path }).bytes(bytes);
  } catch (error) {
    if (!(error instanceof PawlError)) throw error;
    throw new PawlError(
      "data.damaged",
      `${path} is damaged or cut off: its ${compression} data does not come to its end. Fetch the file again.`,
      { cause: error },
    );
  } finally {
    stored.destroy();
  }
}

/**
 * Reads a packed file to its end. DuckDB takes one that is cut off, or whose checksum is wrong, for a whole one, so each is read a second
 * time beside the query.
 */
export async function assertWhole(
  path: string,
  compression: FileGroup["compression"],
  signal: AbortSignal,
): Promise<void> {
  for await (const _ of unpackedBytes(path, compression)) if (signal.aborted) return;
}

/** The names in the first record of a file; null where it has none. */
async function headerOf(
  path: string,
  compression: FileGroup["compression"],
  format: CsvFormat,
): Promise<readonly string[] | null> {
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of unpackedBytes(path, compression)) {
    held = Buffer.concat([held, piece]);
    const end = recordEnd(held, format);
    if (end >= 0) return fieldsOf(held.subarray(0, end), format);
    if (held.length > LONGEST_HEADER)
      throw new PawlError(
        "data.columns",
        `The first line of ${path} does not end within ${LONGEST_HEADER} bytes: it is not a CSV with a header, or has another delimiter or quote.`,
      );
  }
  return held.length === 0 ? null : fieldsOf(held, format);
}

/** Where the first record ends; −1 where it does not end in these bytes. */
function recordEnd(bytes: Buffer, { quote }: CsvFormat): number {
  const mark = quote === "" ? -1 : quote.charCodeAt(0);
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === mark) quoted = !quoted;
    else if (!quoted && (byte === 10 || byte === 13)) return at;
  }
  return -1;
}

/** The values of a record. */
function fieldsOf(bytes: Buffer, { delimiter, quote, escape: escaping }: CsvFormat): readonly string[] {
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  const fields: string[] = [];
  let value = "";
  let quoted = false;
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    if (quoted) {
      const next = text[at + 1];
      if (
        char === escaping &&
        next !== undefined &&
        (next === quote || (escaping !== quote && next === escaping))
      ) {
        value += next;
        at += 2;
        continue;
      }
      if (char === quote) quoted = false;
      else value += char;
      at++;
    } else if (quote !== "" && char === quote && value === "") {
      quoted = true;
      at++;
    } else if (text.startsWith(delimiter, at)) {
      fields.push(value);
      value = "";
      at += delimiter.length;
    } else {
      value += char;
      at++;
    }
  }
  fields.push(value);
  return fields;
}
