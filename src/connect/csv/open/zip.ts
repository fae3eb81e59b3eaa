import { open } from "node:fs/promises";
import { basename } from "node:path";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { PawlError } from "../../../errors.ts";
import type { PlannedFile, ZipMember } from "./planned-file.ts";
import { assertUnchanged, openPlanned } from "./read-blocks.ts";

/** A list of more members than this is not worth its memory. */
const MOST_MEMBERS = 10_000;
const LONGEST_NAME = 1024;
/** How members may be packed. */
const STORED = 0;
const DEFLATED = 8;
const CSV = /\.(?:csv|tsv|tab|psv|txt)(?:\.gz|\.zst)?$/i;

/** Members that are left out are named up to so many. */
const NAMED = 5;

/** Of a zip archive: the files in it that are read, and what to tell of the others. */
export interface ZipContent {
  readonly files: readonly PlannedFile[];
  readonly note: string | null;
}

/**
 * The members of a zip file that are CSVs, sorted by name, each as a file; null where the file is not a zip file. A single member
 * may have any name. Errors: `csv.corrupt-archive`, `csv.other-format`.
 */
export async function zipContent(file: PlannedFile): Promise<ZipContent | null> {
  if (!(await isZip(file.path))) return null;
  const entries = await listed(file);
  const names = new Set(entries.map(({ name }) => name));
  refuseDocuments(names, file.name);
  if (names.size < entries.length) throw unreadable(file.name, "two members of one name");
  const visible = entries.filter(({ name }) => isVisible(name));
  const named = visible.filter(({ name }) => CSV.test(name));
  const chosen = named.length > 0 ? named : visible.length === 1 ? visible : [];
  if (chosen.length === 0)
    throw new PawlError(
      "csv.other-format",
      `${file.name} is a zip archive with ${visible.length} files, none of which is called .csv, .tsv or .txt: unpack the right one into a pipe: unzip -p ${file.name} NAME | pawl load - ….`,
    );
  const locked = chosen.find(({ encrypted }) => encrypted);
  if (locked !== undefined)
    throw new PawlError(
      "csv.other-format",
      `${locked.name} in ${file.name} is encrypted: unpack it into a pipe: unzip -p ${file.name} | pawl load - ….`,
    );
  const foreign = chosen.find(({ method }) => method !== STORED && method !== DEFLATED);
  if (foreign !== undefined)
    throw unreadable(file.name, `the member ${foreign.name}, which is packed by method ${foreign.method},`);
  const left = visible.filter((entry) => !chosen.includes(entry)).map(({ name }) => name);
  return {
    files: chosen
      .map(({ encrypted: _, method: __, ...member }) => ({
        ...file,
        name: `${file.name}/${member.name}`,
        member,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    note: left.length === 0 ? null : leftOut(file.name, chosen.length, left),
  };
}

function leftOut(archive: string, read: number, left: readonly string[]): string {
  const names = left.slice(0, NAMED).join(", ");
  const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : "";
  return `Of ${archive} ${read === 1 ? "one file is" : `${read} files are`} read, and ${names}${more} left out: only what is called .csv, .tsv or .txt is read.`;
}

/**
 * The bytes of a member as they were packed. Its size and checksum are what the archive says, or reading fails.
 * Errors: `csv.changed`, `csv.corrupt-archive`.
 */
export async function* unzipped(file: PlannedFile, member: ZipMember): AsyncGenerator<Buffer> {
  await using watched = await openPlanned(file);
  const zip = await opened(file);
  try {
    // The archive is opened by its path once more, where another file may lie by now.
    await (await openPlanned(file)).close();
    const entry = await entryAt(zip, member);
    if (entry === null) throw new Error("the member is gone");
    let sum = 0;
    const stream = await zip.openReadStreamPromise(entry);
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      await assertUnchanged(watched, file);
      sum = crc32(bytes, sum);
      yield bytes;
    }
    if (sum !== member.crc32) throw new Error("its checksum is another one");
  } catch (error) {
    throw error instanceof PawlError ? error : corrupt(file.name, error);
  } finally {
    zip.close();
  }
}

async function isZip(path: string): Promise<boolean> {
  await using handle = await open(path);
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  // An archive begins with a member, or is empty.
  return ["504b0304", "504b0506"].includes(buffer.toString("hex"));
}

async function opened(file: PlannedFile): Promise<ZipFile> {
  // Most loads read no archive.
  const { openPromise } = await import("yauzl");
  return await openPromise(file.path, { lazyEntries: true, autoClose: false });
}

/** What is read of a member: what else an archive says of it may be large. */
interface Listed extends ZipMember {
  readonly encrypted: boolean;
  readonly method: number;
}

async function listed(file: PlannedFile): Promise<Listed[]> {
  let zip: ZipFile;
  try {
    zip = await opened(file);
  } catch (error) {
    throw corrupt(file.name, error);
  }
  try {
    if (zip.entryCount > MOST_MEMBERS)
      throw new PawlError(
        "csv.other-format",
        `${file.name} is a zip archive with ${zip.entryCount} members, and no more than ${MOST_MEMBERS} are read: unpack the right ones into a pipe: unzip -p ${file.name} NAME | pawl load - ….`,
      );
    const entries: Listed[] = [];
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.length > LONGEST_NAME) throw new Error("a member has a name that is too long");
      entries.push({
        ...memberOf(entry),
        encrypted: entry.isEncrypted(),
        method: entry.compressionMethod,
      });
    }
    await assertListEnds(file.path, Number(zip.readEntryCursor));
    return entries;
  } catch (error) {
    throw error instanceof PawlError ? error : corrupt(file.name, error);
  } finally {
    zip.close();
  }
}

/**
 * An archive says how many members it has in 16 bits, which some programs let overflow: the list must end where the
 * count does, or members would be left out without an error.
 */
async function assertListEnds(path: string, position: number): Promise<void> {
  await using handle = await open(path);
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, position);
  // The end as it was at first, with 64 bits, or with a signature before it.
  if (!["504b0506", "504b0606", "504b0505"].includes(buffer.toString("hex")))
    throw new Error("it lists more than it says it has");
}

async function entryAt(zip: ZipFile, member: ZipMember): Promise<Entry | null> {
  for await (const entry of zip.eachEntry())
    if (entry.fileName === member.name && entry.relativeOffsetOfLocalHeader === member.offset) return entry;
  return null;
}

function memberOf(entry: Entry): ZipMember {
  return {
    name: entry.fileName,
    offset: entry.relativeOffsetOfLocalHeader,
    packedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    crc32: entry.crc32,
  };
}

/** Folders, and the files that macOS adds, are not data. */
function isVisible(name: string): boolean {
  return !name.endsWith("/") && !name.startsWith("__MACOSX/") && !basename(name).startsWith(".");
}

function refuseDocuments(names: ReadonlySet<string>, name: string): void {
  const what = names.has("[Content_Types].xml")
    ? names.has("xl/workbook.xml") || names.has("xl/workbook.bin")
      ? "an Excel workbook"
      : "an Office document"
    : names.has("mimetype") && names.has("content.xml")
      ? "an OpenDocument file"
      : null;
  if (what !== null)
    throw new PawlError("csv.other-format", `${name} is ${what} and not a CSV: save the sheet as CSV.`);
}

/** An archive that is not damaged, and yet cannot be read here. */
function unreadable(name: string, what: string, cause?: unknown): PawlError {
  return new PawlError(
    "csv.other-format",
    `${name} is a zip archive with ${what} that cannot be read here: unpack the right one into a pipe: unzip -p ${name} NAME | pawl load - ….`,
    { cause },
  );
}

function corrupt(name: string, reason: unknown): PawlError {
  const why = reason instanceof Error ? reason.message : String(reason);
  if (/^(?:invalid relative path|absolute path|invalid characters in fileName)/.test(why))
    return unreadable(name, `a name that leads out of it (${why})`, reason);
  return new PawlError(
    "csv.corrupt-archive",
    `${name} is cut off or damaged: reading the zip archive says '${why}'; fetch the file again.`,
    { cause: reason },
  );
}
