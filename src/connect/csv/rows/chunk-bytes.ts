import { type FileHandle, open } from "node:fs/promises";
import { changed, fileTrouble } from "../open/file-version.ts";

/** The bytes of consecutive records, wherever they are. */
export interface Body {
  readonly length: number;
  /**
   * From the first byte on, in pieces of any size. Each call starts anew. With `reuse`, a piece is good only until the
   * next is asked for: in two buffers used in turn a file of any size takes as much memory as a small one.
   */
  pieces(reuse?: boolean): AsyncIterable<Buffer>;
  range(start: number, end: number): Promise<Buffer>;
}

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
  /** Absolute. */
  readonly path: string;
  /** As people call it. */
  readonly name: string;
  /** It can be read only once and from its beginning: standard input, a named pipe, a terminal. */
  readonly pipe: boolean;
  /** Where it stands in an archive, which path, size and time are of then; null for a file of its own. */
  readonly member: ZipMember | null;
  /** What its place says of its content, where it is not on this machine; the path is a URL then. */
  readonly tag?: string | null;
  readonly size: number;
  readonly mtimeMs: number;
}

/** How many bytes of the source it is. */
export function storedBytes({ size, member }: FileVersion): number {
  return member?.packedBytes ?? size;
}

const PIECE = 256 * 1024;

/** Opens a file and makes sure that it still is the one that was planned. Errors: `csv.changed` and those of opening. */
export async function openVersion(file: FileVersion): Promise<FileHandle> {
  const handle = await open(file.path).catch((error) => fileTrouble(error, file.name));
  try {
    await assertVersion(handle, file);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Makes sure that what was just read of an open file is of the version that was planned: a program may write into it at any
 * moment. Errors: `csv.changed`.
 */
export async function assertVersion(handle: FileHandle, file: FileVersion): Promise<void> {
  const { size, mtimeMs } = await handle.stat();
  if (size !== file.size || mtimeMs !== file.mtimeMs) changed(file.name);
}

/** A range of a plain file; read when asked for, so that it takes no memory until then. */
export class FileBody implements Body {
  readonly #file: FileVersion;
  readonly #start: number;
  readonly length: number;

  constructor(file: FileVersion, start: number, end: number) {
    this.#file = file;
    this.#start = start;
    this.length = end - start;
  }

  async *pieces(reuse = false): AsyncGenerator<Buffer> {
    await using handle = await openVersion(this.#file);
    let at = 0;
    const room = Math.min(PIECE, this.length);
    const rooms = reuse ? [Buffer.allocUnsafeSlow(room), Buffer.allocUnsafeSlow(room)] : [];
    let turn = 0;
    const next = () => {
      const want = Math.min(PIECE, this.length - at);
      const into = rooms[turn++ & 1] ?? Buffer.allocUnsafe(want);
      const read = handle.read(into, 0, want, this.#start + at);
      // Looked at when its turn comes; a consumer that stops before must not leave a rejection behind.
      read.catch(() => {});
      return read;
    };
    let coming = this.length > 0 ? next() : null;
    while (coming) {
      const { bytesRead, buffer } = await coming;
      if (bytesRead === 0) changed(this.#file.name);
      at += bytesRead;
      coming = at < this.length ? next() : null;
      // Before the last piece, for who has all of them has the whole.
      if (coming === null) await assertVersion(handle, this.#file);
      try {
        yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
      } finally {
        // The handle must not close under a read.
        await coming?.catch(() => {});
      }
    }
  }

  async range(start: number, end: number): Promise<Buffer> {
    await using handle = await openVersion(this.#file);
    const buffer = Buffer.allocUnsafe(end - start);
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await handle.read(
        buffer,
        filled,
        buffer.length - filled,
        this.#start + start + filled,
      );
      if (bytesRead === 0) changed(this.#file.name);
      filled += bytesRead;
    }
    await assertVersion(handle, this.#file);
    return buffer;
  }
}

/** Bytes that had to be decoded or unpacked, and so are held. */
export class HeldBody implements Body {
  readonly #parts: readonly Buffer[];
  readonly length: number;

  constructor(parts: readonly Buffer[]) {
    this.#parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
  }

  async *pieces(): AsyncGenerator<Buffer> {
    yield* this.#parts;
  }

  async range(start: number, end: number): Promise<Buffer> {
    const cut: Buffer[] = [];
    let offset = 0;
    for (const part of this.#parts) {
      if (offset < end && offset + part.length > start)
        cut.push(part.subarray(Math.max(0, start - offset), end - offset));
      offset += part.length;
    }
    return cut.length === 1 && cut[0] ? cut[0] : Buffer.concat(cut);
  }
}
