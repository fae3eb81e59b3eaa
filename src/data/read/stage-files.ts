import { open } from "node:fs/promises";
import pMap from "p-map";
import {
  openRangedUrl,
  openWebObject,
  type RangedObject,
  type RemoteObject,
} from "../../connect/objects/internal.ts";
import { PawlError } from "../../errors.ts";
import type { DataFile } from "./locations.ts";
import { type ByteSpan, corrupt, footerLength, parseFooter, TAIL_BYTES } from "./parquet/footer.ts";
import { prune } from "./parquet/prune.ts";
import type { ColumnTest } from "./parquet/statistics.ts";
import type { RemoteBuckets } from "./remote-buckets.ts";
import { changedWhileRead, explainRemote } from "./remote-errors.ts";
import { explainDisk, type StagingArea, writeAt } from "./staging-area.ts";

/** A file that an engine can read. */
export interface StagedFile {
  readonly path: string;
  /** The file of the user that it stands for, without secrets. */
  readonly name: string;
  /** How many rows it has; null where only reading it tells. */
  readonly rows: number | null;
}

export interface StageOptions {
  readonly area: StagingArea;
  readonly buckets: RemoteBuckets;
  /** Bytes of memory that may be held. */
  readonly memory: number;
  readonly signal: AbortSignal;
}

/** What is needed of Parquet files. */
export interface ParquetNeeds {
  /** Null for all columns. */
  readonly columns: readonly string[] | null;
  /** Row groups in which no row can meet all of these are left out. */
  readonly tests: readonly ColumnTest[];
  /**
   * Of each file any so many rows suffice.
   * @default null, which is all rows
   */
  readonly rows?: number | null;
}

/** Bytes that one request asks for. */
const PIECE_BYTES = 4 * 1024 * 1024;
const MOST_REQUESTS = 16;
/** The end of a Parquet file that is asked for first: most footers fit. */
const FIRST_TAIL_BYTES = 64 * 1024;
/** A footer takes several times its size in memory while it is parsed. */
const FOOTER_SHARE = 16;
const LEAST_FOOTER_BYTES = 16 * 1024 * 1024;
/** Footers that are read at once. */
const FOOTERS_AT_ONCE = 8;
/** Files that are fetched at once, each by requests of its own. */
const FILES_AT_ONCE = 4;

/** Copies files of buckets and of the web to this machine, whole; those of this machine are given as they are. */
export async function stageWhole(
  files: readonly DataFile[],
  options: StageOptions,
): Promise<readonly StagedFile[]> {
  const atOnce = Math.max(1, Math.min(FILES_AT_ONCE, files.length));
  const share = { ...options, memory: options.memory / atOnce };
  return await pMap(files, (file) => stageOne(file, share), { concurrency: atOnce });
}

/** Bytes of a text by which its columns are told. */
const BEGINNING_BYTES = 4 * 1024 * 1024;

/**
 * Copies the beginning of the first file that is in a bucket or on the web, in whole lines; one that is packed is copied whole. Files of
 * this machine are given as they are.
 */
export async function stageBeginnings(
  files: readonly DataFile[],
  options: StageOptions,
): Promise<readonly StagedFile[]> {
  const here = files.filter(({ place }) => place.kind === "local");
  const [first] = files;
  if (first === undefined || here.length > 0) return await stageWhole(here, options);
  const { name } = first;
  const path = await options.area.path(pathOf(first));
  const object = await openObject(first, options);
  try {
    if (!isRanged(object) || object.size <= BEGINNING_BYTES || /\.(gz|zst)$/i.test(path))
      return await stageWhole([first], options);
    const bytes = Buffer.allocUnsafe(BEGINNING_BYTES);
    await readRange(object, 0, bytes, name);
    const file = await options.area.create(path);
    try {
      await writeAt(file, bytes.subarray(0, wholeLines(bytes)), 0);
    } finally {
      await file.close();
    }
    return [{ path, name, rows: null }];
  } finally {
    await object.close();
  }
}

/** Where the last line ends that does not end within quotes. */
function wholeLines(bytes: Buffer): number {
  let end = bytes.lastIndexOf(10);
  let quotes = 0;
  for (let at = bytes.indexOf(34); at >= 0 && at < end; at = bytes.indexOf(34, at + 1)) quotes++;
  while (end > 0 && quotes % 2 === 1) {
    const before = bytes.lastIndexOf(10, end - 1);
    for (let at = bytes.indexOf(34, before + 1); at >= 0 && at < end; at = bytes.indexOf(34, at + 1))
      quotes--;
    end = before;
  }
  return end + 1;
}

function pathOf({ name, place }: DataFile): string {
  return place.kind === "web" ? place.url.pathname : place.kind === "bucket" ? place.key : name;
}

async function stageOne(file: DataFile, options: StageOptions): Promise<StagedFile> {
  const { area, signal } = options;
  const { name, place } = file;
  if (place.kind === "local") return { path: place.path, name, rows: null };
  signal.throwIfAborted();
  const path = await area.path(pathOf(file));
  const object = await openObject(file, options);
  try {
    if (isRanged(object)) {
      area.reserve(object.size, name);
      await fill(path, object, { name, spans: [{ offset: 0, length: object.size }], start: 0 }, options);
    } else await copyStream(path, object, name, options);
  } finally {
    await object.close();
  }
  return { path, name, rows: null };
}

/**
 * Copies what is needed of Parquet files: of each one in a bucket or on the web the footer, and then the column chunks of the columns
 * and row groups that are wanted. Each becomes a Parquet file that holds just these. Errors: `data.corrupt`, `data.encrypted`,
 * `data.changed`, `data.staging`, `data.missing` and what else `explainRemote` says.
 */
export async function stageParquet(
  files: readonly DataFile[],
  needs: ParquetNeeds,
  options: StageOptions,
): Promise<readonly StagedFile[]> {
  const planned = await pMap(files, (file) => planOne(file, needs, options), {
    concurrency: FOOTERS_AT_ONCE,
  });
  const atOnce = Math.max(1, Math.min(FILES_AT_ONCE, planned.length));
  const share = { ...options, memory: options.memory / atOnce };
  const finish = async ({ file, rest }: PlannedParquet): Promise<StagedFile> => {
    if (rest === null) return file;
    try {
      await fill(file.path, rest.object, { name: file.name, spans: rest.spans, start: rest.start }, share);
    } finally {
      await rest.object.close();
    }
    return file;
  };
  return await pMap(planned, finish, { concurrency: atOnce });
}

/** A staged file of which the beginning and the footer are written. */
interface PlannedParquet {
  readonly file: StagedFile;
  /** What has to be fetched yet; null where nothing has to. */
  readonly rest: {
    readonly object: RangedObject;
    readonly spans: readonly ByteSpan[];
    readonly start: number;
  } | null;
}

async function planOne(file: DataFile, needs: ParquetNeeds, options: StageOptions): Promise<PlannedParquet> {
  const { area, signal } = options;
  const { name, place } = file;
  if (place.kind === "local") return { file: { path: place.path, name, rows: null }, rest: null };
  signal.throwIfAborted();
  const object = await openObject(file, options);
  let isKept = false;
  try {
    if (!isRanged(object)) {
      const path = await area.path(parquetNameOf(place));
      await copyStream(path, object, name, options);
      return { file: { path, name, rows: null }, rest: null };
    }
    const footer = await readFooter(object, name, options);
    const pruned = prune(footer, needs);
    area.reserve(pruned.bytes, name);
    const path = await area.path(parquetNameOf(place));
    const handle = await area.create(path);
    try {
      await writeAt(handle, pruned.head, 0);
      await writeAt(handle, pruned.foot, pruned.bytes - pruned.foot.length);
    } finally {
      await handle.close();
    }
    isKept = true;
    return {
      file: { path, name, rows: pruned.rows },
      rest: { object, spans: pruned.spans, start: pruned.head.length },
    };
  } finally {
    if (!isKept) await object.close();
  }
}

/** The folders of a file's own path, and a name that engines take for Parquet. */
function parquetNameOf(place: Exclude<DataFile["place"], { readonly kind: "local" }>): string {
  const path = place.kind === "web" ? place.url.pathname : place.key;
  return `${path.replace(/[^/]*$/, "")}file.parquet`;
}

async function readFooter(object: RangedObject, name: string, { memory }: StageOptions) {
  const { size } = object;
  if (size < 4 + TAIL_BYTES) throw corrupt(name, `it has ${size} bytes`);
  const tail = Buffer.allocUnsafe(Math.min(FIRST_TAIL_BYTES, size));
  await readRange(object, size - tail.length, tail, name);
  const length = footerLength(tail, size, name);
  const most = Math.max(LEAST_FOOTER_BYTES, memory / FOOTER_SHARE);
  if (length > most)
    throw new PawlError(
      "data.memory",
      `${name} has a footer of ${length} bytes, which is more than may be held of it: allow more with \`memory\`.`,
    );
  const held = tail.length - TAIL_BYTES;
  if (length <= held) return parseFooter(tail.subarray(held - length, held), size, name);
  const footer = Buffer.allocUnsafe(length);
  await readRange(object, size - TAIL_BYTES - length, footer.subarray(0, length - held), name);
  tail.copy(footer, length - held, 0, held);
  return parseFooter(footer, size, name);
}

/** Fetches spans of an object into a file, one behind the other from `start` on. */
async function fill(
  path: string,
  object: RangedObject,
  {
    name,
    spans,
    start,
  }: { readonly name: string; readonly spans: readonly ByteSpan[]; readonly start: number },
  { area, memory, signal }: StageOptions,
): Promise<void> {
  const pieces: { readonly offset: number; readonly length: number; readonly to: number }[] = [];
  let to = start;
  for (const { offset, length } of spans) {
    for (let done = 0; done < length; done += PIECE_BYTES)
      pieces.push({ offset: offset + done, length: Math.min(PIECE_BYTES, length - done), to: to + done });
    to += length;
  }
  // Of a Parquet file the footer has been written before.
  const handle = await (start === 0 ? area.create(path) : open(path, "r+"));
  try {
    await pMap(
      pieces,
      async (piece) => {
        const bytes = Buffer.allocUnsafe(piece.length);
        await readRange(object, piece.offset, bytes, name);
        await writeAt(handle, bytes, piece.to);
      },
      { concurrency: requestsOf(memory), signal },
    );
  } finally {
    await handle.close();
  }
}

function requestsOf(memory: number): number {
  return Math.max(1, Math.min(MOST_REQUESTS, Math.floor(memory / 4 / PIECE_BYTES)));
}

async function readRange(object: RangedObject, offset: number, into: Buffer, name: string): Promise<void> {
  try {
    await object.range(offset, into);
  } catch (error) {
    throw explainRemote(error, name);
  }
}

/** Copies an object whose server gives no ranges, from its beginning to its end. */
async function copyStream(
  path: string,
  object: RemoteObject,
  name: string,
  { area, signal }: StageOptions,
): Promise<void> {
  const handle = await area.create(path);
  try {
    let at = 0;
    for await (const piece of object.bytes()) {
      signal.throwIfAborted();
      area.reserve(piece.length, name);
      await writeAt(handle, piece, at);
      at += piece.length;
    }
  } catch (error) {
    throw explainRemote(explainDisk(error), name);
  } finally {
    await handle.close();
  }
}

function isRanged(object: RangedObject | RemoteObject): object is RangedObject {
  return "range" in object;
}

/** Opens a file of a bucket or of the web, which must be the one that was listed. */
async function openObject(
  { name, place }: DataFile,
  { buckets }: StageOptions,
): Promise<RangedObject | RemoteObject> {
  if (place.kind === "local") throw new TypeError("a file of this machine is not staged");
  try {
    if (place.kind === "web") return (await openRangedUrl(place.url)) ?? (await openWebObject(place.url));
    const bucket = await buckets.open(place.bucket);
    const object = await bucket.open(place.key);
    const { listed } = place;
    const isOther =
      listed !== null &&
      (object.size !== listed.size ||
        (listed.etag !== null && object.etag !== null && object.etag !== listed.etag));
    if (!isOther) return object;
    await object.close();
    throw changedWhileRead(name);
  } catch (error) {
    throw explainRemote(error, name);
  }
}
