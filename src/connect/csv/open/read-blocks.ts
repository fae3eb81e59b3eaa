import { type FileHandle, open } from "node:fs/promises";
import { PawlError } from "../../../errors.ts";
import { type PlannedFile, refuseFile } from "./planned-file.ts";

/** Opens a file and makes sure that it still is the one that was planned. Errors: `csv.changed` and those of opening. */
export async function openPlanned(file: PlannedFile): Promise<FileHandle> {
  const handle = await open(file.path).catch((error) => refuseFile(error, file.name));
  try {
    await assertUnchanged(handle, file);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Makes sure that what was just read of an open file belongs to the version that was planned: a program may write into the
 * file at any moment. Errors: `csv.changed`.
 */
export async function assertUnchanged(handle: FileHandle, file: PlannedFile): Promise<void> {
  const { size, mtimeMs } = await handle.stat();
  if (size !== file.size || mtimeMs !== file.mtimeMs) refuseChanged(file.name);
}

/** The bytes of a range of a file. Errors: `csv.changed` and those of opening. */
export async function readBytes(file: PlannedFile, start: number, end: number): Promise<Buffer> {
  await using handle = await openPlanned(file);
  const buffer = Buffer.allocUnsafe(end - start);
  for (let filled = 0; filled < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, start + filled);
    if (bytesRead === 0) refuseChanged(file.name);
    filled += bytesRead;
  }
  await assertUnchanged(handle, file);
  return buffer;
}

/** Bytes that a block can have in front of it without being copied. */
const FRONT = 64 * 1024;

/** A block of a file, behind what was kept of the block before it. */
export interface FileBlock {
  readonly buffer: Buffer;
  /** Where the new bytes begin in the buffer. */
  readonly from: number;
  readonly to: number;
  /** The offset in the file of `buffer[0]`. */
  readonly base: number;
}

export interface BlockOptions {
  readonly start: number;
  readonly end: number;
  readonly blockBytes: number;
  /** How many of the last bytes of a block must stand before the next one: the beginning of a record that continues there. */
  readonly keep?: (block: FileBlock) => number;
  /**
   * Whether two buffers are used in turn, so that a block is good only until the next one is asked for and a file of any
   * size takes as much memory as a small one. @default true
   */
  readonly reuse?: boolean;
}

/**
 * Reads a range of a file in blocks, the next one while the caller works on the last. Errors: `csv.changed`, also where the file
 * changes meanwhile, and those of opening.
 */
export async function* readBlocks(file: PlannedFile, options: BlockOptions): AsyncGenerator<FileBlock> {
  const { start, end, blockBytes, keep, reuse = true } = options;
  await using handle = await openPlanned(file);
  const front = keep === undefined ? 0 : FRONT;
  const size = front + Math.min(blockBytes, end - start);
  const buffers = reuse ? [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] : [];
  let turn = 0;
  const read = (at: number) => {
    const want = Math.min(blockBytes, end - at);
    const into = buffers[turn++ & 1] ?? Buffer.allocUnsafe(front + want);
    const reading = handle.read(into, front, want, at);
    // The result is awaited later; a caller that stops before that must not leave a rejection unhandled.
    reading.catch(() => {});
    return reading;
  };
  let at = start;
  let rest: Buffer = Buffer.alloc(0);
  let coming = at < end ? read(at) : null;
  while (coming) {
    const { bytesRead, buffer } = await coming;
    if (bytesRead === 0) refuseChanged(file.name);
    // Joined before the next read begins, which overwrites the buffer that the rest stands in.
    const block = joined(buffer, front, rest, bytesRead, at);
    at += bytesRead;
    coming = at < end ? read(at) : null;
    // Before the last block, because a caller that has all blocks takes the range for complete.
    if (coming === null) await assertUnchanged(handle, file);
    try {
      yield block;
    } finally {
      // The buffers and the handle must outlive the read that is under way.
      await coming?.catch(() => {});
    }
    rest = block.buffer.subarray(block.to - (keep?.(block) ?? 0), block.to);
  }
}

function joined(buffer: Buffer, front: number, rest: Buffer, bytesRead: number, at: number): FileBlock {
  const base = at - rest.length;
  const to = rest.length + bytesRead;
  if (rest.length > front)
    return {
      buffer: Buffer.concat([rest, buffer.subarray(front, front + bytesRead)]),
      from: rest.length,
      to,
      base,
    };
  rest.copy(buffer, front - rest.length);
  return { buffer: buffer.subarray(front - rest.length, front + bytesRead), from: rest.length, to, base };
}

/** The file is not the one that was planned. */
export function refuseChanged(name: string): never {
  throw new PawlError(
    "csv.changed",
    `${name} changed while it was being read, so its records may have moved: put the file back as it was, or start over with \`restart: true\`.`,
  );
}
