import { createHash, hash } from "node:crypto";
import type { WorkLimits } from "../../../batch/contract.ts";
import { ItemError, type PawlError, TransientError } from "../../../errors.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5, multipartEtag } from "../compare/etag.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter, OpenObject, Upload } from "../contract.ts";
import { retryRequest } from "../http/retry-request.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import { MultipartChecksum } from "./multipart-checksum.ts";
import { fitsOneRequest, isSmall, partsFit } from "./part-size.ts";
import type { WrittenObject } from "./written-log.ts";

/** What is done to the bytes of each object on their way. */
export interface ObjectTransform {
  /**
   * Copies what the transform makes of an object; returns what was written, or null where it leaves the object out. `give` throws
   * where another object has the name already.
   */
  transfer(
    entry: ObjectEntry,
    context: TransferContext,
    give: (key: string) => void,
  ): Promise<WrittenObject | null>;
  close(): Promise<void>;
}

/** What copying an object needs. */
export interface TransferContext {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly limits: WorkLimits;
  readonly memory: MemoryBudget;
  readonly checksums: ChecksumThreads;
  /** Null copies each object as it is. */
  readonly transform: ObjectTransform | null;
  readonly signal: AbortSignal;
}

/** How many bytes an object of unknown size may have: it might never end. */
const LONGEST_UNANNOUNCED = 1024 ** 3;

/** Parts of one object that are copied at once. */
const PARTS_AT_ONCE = 4;

/**
 * Copies an object once: small ones in one piece, others in parts, several at a time. The bytes are compared with the
 * checksum of the source where it has one, and the target compares what it got with what was sent. `CopyWriter` calls it, and removes the
 * source of a move afterwards.
 */
export async function transfer(entry: ObjectEntry, context: TransferContext): Promise<WrittenObject> {
  const { reader, writer } = context;
  if (entry.size !== null && (await writer.copyOnServer?.(reader, entry)))
    return { size: entry.size, version: entry.etag };
  if (fitsOneRequest(entry)) {
    const copied = await context.memory.hold(entry.size as number, () =>
      // An object that has grown since it was listed needs more memory than was reserved.
      opened(entry, context, async (open) => (hasGrown(open) ? null : await small(entry, open, context))),
    );
    if (copied !== null) return copied;
  }
  return await opened(entry, context, async (open) =>
    fitsOneRequest(open)
      ? await context.memory.hold(open.size as number, () => small(entry, open, context))
      : await large(entry, open, context),
  );
}

function hasGrown({ size }: OpenObject): boolean {
  return size !== null && !isSmall(size);
}

async function opened<T>(
  entry: ObjectEntry,
  { reader }: TransferContext,
  work: (open: OpenObject) => Promise<T>,
): Promise<T> {
  const open = await reader.open(entry);
  try {
    return await work(open);
  } finally {
    await open.close();
  }
}

async function small(
  entry: ObjectEntry,
  open: OpenObject,
  { writer, limits, signal }: TransferContext,
): Promise<WrittenObject> {
  const { bytes, md5 } = await readWhole(open, open.size ?? entry.size ?? 0);
  await limits.pass(bytes.length, signal);
  await writer.put(entry, bytes, md5, open);
  await open.rememberEtag?.(md5, null);
  return { size: bytes.length, version: open.version };
}

/** All bytes of an object, compared with what its source says of them: `most` at most, for which there is memory. */
export async function readWhole(open: OpenObject, most: number): Promise<{ bytes: Buffer; md5: string }> {
  const pieces: Uint8Array[] = [];
  let came = 0;
  for await (const piece of open.body()) {
    came += piece.length;
    if (came > most)
      throw new TransientError("copy.too-long", `more bytes came than the ${most} that were announced`);
    pieces.push(piece);
  }
  const [first] = pieces;
  const bytes =
    pieces.length === 1 && first
      ? Buffer.from(first.buffer, first.byteOffset, first.length)
      : Buffer.concat(pieces);
  assertSize(bytes.length, open.size);
  const md5 = hash("md5", bytes);
  assertMd5(md5, open.etag);
  return { bytes, md5 };
}

function assertSize(size: number, announced: number | null): void {
  if (announced === null || size === announced) return;
  throw new TransientError("copy.truncated", `${size} bytes came where ${announced} were announced`);
}

function assertMd5(md5: string, etag: string | null): void {
  if (!isMd5(etag) || md5 === etag) return;
  throw new TransientError(
    "copy.checksum",
    `the checksum of the bytes is ${md5} and that of the source ${etag}`,
  );
}

async function large(entry: ObjectEntry, open: OpenObject, context: TransferContext): Promise<WrittenObject> {
  const { reader, writer } = context;
  const asked = await reader.partBytes(entry);
  const fits = asked !== null && open.size !== null && partsFit(asked, open.size);
  const upload = await writer.beginUpload(entry, open, fits ? asked : undefined, reader);
  try {
    const { size, md5 } =
      open.range !== undefined && open.size !== null
        ? await inRanges(open, open.size, upload, fits, context)
        : await inOrder(open, upload, context);
    await upload.complete(size, md5);
    return { size, version: open.version };
  } catch (error) {
    // The first error counts; parts that could not be removed are removed when the run continues.
    await upload.abort().catch(() => {});
    throw error;
  }
}

/** What went through an upload: its size, and its MD5 where that was taken. */
interface Transferred {
  readonly size: number;
  readonly md5: string | null;
}

/** Reads and writes several parts at once. `sameParts` says that the source was written in parts of the same size. */
async function inRanges(
  open: OpenObject,
  size: number,
  upload: Upload,
  sameParts: boolean,
  { limits, memory, checksums, signal }: TransferContext,
): Promise<Transferred> {
  const { partBytes } = upload;
  const count = Math.max(1, Math.ceil(size / partBytes));
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const wantsWhole = upload.wantsMd5 === true;
  const sum = new MultipartChecksum(open.etag, { sameParts, count, wantsWhole }, checksums);
  const md5s: (string | null)[] = [];
  let next = 0;
  let failure: { readonly reason: unknown } | null = null;
  const copyParts = async () => {
    while (next < count && !stop.signal.aborted) {
      const number = next++;
      const offset = number * partBytes;
      const length = Math.min(partBytes, size - offset);
      const copied = await retryRequest(
        async () => await upload.copyPartOnServer?.(number, { offset, length }),
        either,
      );
      if (typeof copied === "string" || copied === null) {
        sum.confirm(number, copied);
        continue;
      }
      await memory.lend(length, async (bytes) => {
        await retryRequest(async () => open.range?.(offset, bytes), either);
        await sum.add(number, bytes);
        await limits.pass(length, signal);
        const md5 = await retryRequest(() => upload.part(number, bytes), either);
        md5s[number] = md5;
        if (sum.wantsParts) sum.confirm(number, md5 ?? (await checksums.digest("md5", bytes)));
      });
    }
  };
  const copying = Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, () =>
    copyParts().catch((reason) => {
      // The failures of the others follow from this one.
      failure ??= { reason };
      stop.abort();
      sum.abandon();
    }),
  );
  // No part may still be in work when the upload is given up.
  await Promise.all(copying);
  let md5: string | null = null;
  try {
    if (failure !== null) throw (failure as { reason: unknown }).reason;
  } finally {
    md5 = await sum.finish();
  }
  if (wantsWhole && md5 !== null) await open.rememberEtag?.(md5, null);
  else if (md5s.length === count && md5s.every(isMd5))
    await open.rememberEtag?.(multipartEtag(md5s), partBytes);
  return { size, md5 };
}

function tooLong(announced: number | null): PawlError {
  if (announced !== null)
    return new TransientError("copy.too-long", `more bytes came than the ${announced} that were announced`);
  return new ItemError(
    `more than ${LONGEST_UNANNOUNCED} bytes came, and their number is announced nowhere: give it as size in the manifest`,
    { code: "copy.too-long" },
  );
}

/** Reads from the beginning to the end, a part at a time. */
async function inOrder(
  open: OpenObject,
  upload: Upload,
  { limits, memory, signal }: TransferContext,
): Promise<Transferred> {
  const { partBytes } = upload;
  const md5 = createHash("md5");
  return await memory.lend(partBytes, async (part) => {
    let number = 0;
    let size = 0;
    let filled = 0;
    const flush = async () => {
      const bytes = part.subarray(0, filled);
      const at = number++;
      await limits.pass(bytes.length, signal);
      await retryRequest(() => upload.part(at, bytes), signal);
      filled = 0;
    };
    for await (const piece of open.body()) {
      md5.update(piece);
      size += piece.length;
      if (size > (open.size ?? LONGEST_UNANNOUNCED)) throw tooLong(open.size);
      for (let at = 0; at < piece.length; ) {
        const copied = Buffer.from(piece.buffer, piece.byteOffset + at).copy(
          part,
          filled,
          0,
          piece.length - at,
        );
        at += copied;
        filled += copied;
        if (filled === partBytes) await flush();
      }
    }
    if (filled > 0 || number === 0) await flush();
    assertSize(size, open.size);
    const whole = md5.digest("hex");
    assertMd5(whole, open.etag);
    return { size, md5: whole };
  });
}
