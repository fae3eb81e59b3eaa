import { type FileHandle, open } from "node:fs/promises";
import { PawlError } from "../../../errors.ts";

/** A file inside a zip archive. */
export interface ZipMember {
  readonly name: string;
  /** Of its header in the archive. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** A file as it was when the source was planned. */
export interface FileVersion {
  /** An absolute path, or a URL. */
  readonly path: string;
  /** The path as messages show it. */
  readonly name: string;
  /** It can be read only once and from its beginning: standard input, a named pipe, a terminal. */
  readonly pipe: boolean;
  /** The member of the zip archive that path, size and time belong to; null for a file of its own. */
  readonly member: ZipMember | null;
  /** The ETag of a remote object; absent for a local file. */
  readonly etag?: string | null;
  readonly size: number;
  readonly mtimeMs: number;
}

/** How many bytes of the source a file takes: of a member of an archive, those that it is packed in. */
export function storedBytes({ size, member }: FileVersion): number {
  return member?.packedBytes ?? size;
}

/** Opens a file and makes sure that it still is the one that was planned. Errors: `csv.changed` and those of opening. */
export async function openVersion(file: FileVersion): Promise<FileHandle> {
  const handle = await open(file.path).catch((error) => refuseFile(error, file.name));
  try {
    await assertVersion(handle, file);
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
export async function assertVersion(handle: FileHandle, file: FileVersion): Promise<void> {
  const { size, mtimeMs } = await handle.stat();
  if (size !== file.size || mtimeMs !== file.mtimeMs) refuseChanged(file.name);
}

/** The bytes of a range of a file. Errors: `csv.changed` and those of opening. */
export async function readBytes(file: FileVersion, start: number, end: number): Promise<Buffer> {
  await using handle = await openVersion(file);
  const buffer = Buffer.allocUnsafe(end - start);
  for (let filled = 0; filled < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, start + filled);
    if (bytesRead === 0) refuseChanged(file.name);
    filled += bytesRead;
  }
  await assertVersion(handle, file);
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
export async function* readBlocks(file: FileVersion, options: BlockOptions): AsyncGenerator<FileBlock> {
  const { start, end, blockBytes, keep, reuse = true } = options;
  await using handle = await openVersion(file);
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
    if (coming === null) await assertVersion(handle, file);
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

/** Turns what the file system says into one sentence. Errors: `csv.missing`, `csv.permission`, `csv.directory`. */
export function refuseFile(error: unknown, name: string): never {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR")
    throw new PawlError("csv.missing", `${name} does not exist: check the path.`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    throw new PawlError("csv.permission", `${name} may not be read by this user: change its permissions.`, {
      cause: error,
    });
  if (code === "EISDIR") refuseDirectory(name);
  throw error;
}

export function refuseDirectory(name: string): never {
  const glob = `${name.replace(/\/+$/, "")}/*.csv`;
  throw new PawlError("csv.directory", `${name} is a directory: name its files, such as '${glob}'.`);
}

/** The file is not the one that was planned. */
export function refuseChanged(name: string): never {
  throw new PawlError(
    "csv.changed",
    `${name} changed while it was being read, so its records may have moved: put the file back as it was, or start over with \`restart\`.`,
  );
}
