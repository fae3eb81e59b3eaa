import { pipeline, Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import { errorText } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { isUrl } from "../../../url-scheme.ts";
import type { PlannedFile } from "./planned-file.ts";

const PIECE = 256 * 1024;

export type Compression = "gzip" | "zstd";

/** The format that the file is compressed in, detected from its first bytes, whatever its name says. */
export function compressionOf(head: Buffer): Compression | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.length >= 4 && isZstd(head.readUInt32LE(0)) ? "zstd" : null;
}

type Unpacker = Transform & { readonly bytesWritten: number };

/** Unpacks one file. Errors: `csv.corrupt-archive`, where the data is damaged, cut off, or followed by something else. */
export class Decompressor {
  readonly compression: Compression;
  readonly #file: Pick<PlannedFile, "name" | "pipe" | "path">;
  /** Bytes of the frames before the one that is being unpacked. */
  #finished = 0;
  #unpacker: Unpacker | null = null;

  constructor(compression: Compression, file: Pick<PlannedFile, "name" | "pipe" | "path">) {
    this.compression = compression;
    this.#file = file;
  }

  /** How many packed bytes were needed so far. */
  get consumed(): number {
    return this.#finished + (this.#unpacker?.bytesWritten ?? 0);
  }

  bytes(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    return this.compression === "zstd" ? this.#zstd(packed) : this.#gzip(packed);
  }

  async *#zstd(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    try {
      for await (const frame of zstdFrames(packed)) {
        yield* this.#through(zlib.createZstdDecompress({ chunkSize: PIECE }), frame);
        this.#finished += this.#unpacker?.bytesWritten ?? 0;
        this.#unpacker = null;
      }
    } catch (error) {
      throw error instanceof PawlError ? error : this.#corrupt(error);
    }
  }

  /** All members of a gzip file. Node stops without an error at a zero byte after a member: only padding may follow one. */
  async *#gzip(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    let fed: { readonly bytes: Buffer; readonly end: number }[] = [];
    let total = 0;
    let tail: Buffer = Buffer.alloc(0);
    const unpacker = zlib.createGunzip({ chunkSize: PIECE });
    let coming = packed.next();
    // Iterated by hand, because leaving a `for await` loop would close the generator that has to be read to its end.
    const feeding = async function* () {
      for (let piece = await coming; !piece.done; coming = packed.next(), piece = await coming) {
        fed = fed.filter(({ end }) => end > unpacker.bytesWritten);
        total += piece.value.length;
        fed.push({ bytes: piece.value, end: total });
        tail = Buffer.concat([tail, piece.value.subarray(-TRAILER - 1)]).subarray(-TRAILER - 1);
        yield piece.value;
      }
    };
    let unpacked = 0;
    try {
      for await (const bytes of this.#through(unpacker, feeding())) {
        unpacked += bytes.length;
        yield bytes;
      }
    } catch (error) {
      throw endsBefore(tail, unpacked) && isCorrupt(error)
        ? this.#corrupt(new Error("a byte follows", { cause: error }))
        : error;
    }
    await coming;
    const used = unpacker.bytesWritten;
    for (const { bytes, end } of fed)
      this.#checkPadding(bytes.subarray(Math.max(0, bytes.length - (end - used))));
    for await (const bytes of packed) this.#checkPadding(bytes);
  }

  #checkPadding(bytes: Buffer): void {
    if (bytes.some((byte) => byte !== 0)) throw this.#corrupt(new Error("something follows the padding"));
  }

  async *#through(unpacker: Unpacker, packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    this.#unpacker = unpacker;
    pipeline(Readable.from(packed, { objectMode: false, highWaterMark: PIECE }), unpacker, () => {});
    try {
      for await (const bytes of unpacker) yield bytes;
    } catch (error) {
      throw error instanceof PawlError ? error : this.#corrupt(error);
    } finally {
      unpacker.destroy();
    }
  }

  #corrupt(error: unknown): PawlError {
    const { compression } = this;
    const reason = errorText(error);
    const { name, pipe, path } = this.#file;
    // The magic number of the first member was right, so that a wrong one stands behind a member.
    if (/incorrect header check|follows/.test(reason)) {
      const unpack =
        pipe || isUrl(path)
          ? `unpack it with ${compression} -dc into a pipe`
          : `${compression} -dc ${name} | pawl load - …`;
      return new PawlError(
        "csv.corrupt-archive",
        `${name} has something behind its ${compression} data that is not ${compression}: fetch the file again, ` +
          `or leave that out: ${unpack}.`,
        { cause: error },
      );
    }
    return new PawlError(
      "csv.corrupt-archive",
      `${name} is cut off or damaged: ${compression} says '${reason}' after ${this.consumed} bytes; fetch the file again.`,
      { cause: error },
    );
  }
}

/** Bytes at the end of a gzip member: its checksum, and how many bytes it holds, modulo 2 to the 32nd. */
const TRAILER = 8;

/**
 * Whether gzip data that holds so many bytes is followed by one single byte: Node waits for more of what it takes for the next
 * member, and then calls the file cut off.
 */
function endsBefore(tail: Buffer, unpacked: number): boolean {
  return (
    tail.length > TRAILER && tail.at(-1) !== 0x1f && tail.readUInt32LE(TRAILER - 4) === unpacked % 2 ** 32
  );
}

function isCorrupt(error: unknown): boolean {
  return error instanceof PawlError && error.code === "csv.corrupt-archive";
}

const ZSTD_MAGIC = 0xfd2fb528;
/** The lowest of sixteen magic numbers of frames that hold no data. */
const SKIPPABLE = 0x184d2a50;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const REPEATED_BYTE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** Whether a file that begins with this number (little-endian) is Zstandard data. */
function isZstd(magic: number): boolean {
  return magic === ZSTD_MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return magic >= SKIPPABLE && magic < SKIPPABLE + 16;
}

/**
 * The frames of Zstandard data (RFC 8878), each as its pieces, without those that hold no data: Node's decompressor
 * stops without an error after the first frame and drops the rest. Only the sizes in frame and block headers are read.
 * Each frame has to be read to its end before the next is asked for. Throws where something else than a frame follows
 * a frame, and where the data ends inside one.
 */
async function* zstdFrames(stored: AsyncIterator<Buffer>): AsyncGenerator<AsyncGenerator<Buffer>> {
  const input = new Input(stored);
  while (!(await input.ended())) {
    const magic = await input.next(4);
    const kind = magic.readUInt32LE(0);
    if (isSkippable(kind)) {
      const size = (await input.next(4)).readUInt32LE(0);
      for await (const _ of input.pass(size));
    } else if (kind === ZSTD_MAGIC) yield dataFrame(magic, input);
    else throw new Error("something that is not a frame follows a frame");
  }
}

async function* dataFrame(magic: Buffer, input: Input): AsyncGenerator<Buffer> {
  yield magic;
  const descriptor = await input.next(1);
  yield descriptor;
  const bits = descriptor[0] as number;
  const size = CONTENT_SIZE_BYTES[bits >> 6] as number;
  const single = (bits & 0x20) !== 0;
  yield* input.pass((single ? Math.max(size, 1) : 1 + size) + (DICTIONARY_ID_BYTES[bits & 3] as number));
  for (let last = false; !last; ) {
    const header = await input.next(3);
    yield header;
    const block = header.readUIntLE(0, 3);
    const kind = (block >> 1) & 3;
    if (kind === RESERVED_BLOCK) throw new Error("a block has a kind that does not exist");
    last = (block & 1) === 1;
    yield* input.pass(kind === REPEATED_BYTE_BLOCK ? 1 : block >> 3);
  }
  if ((bits & 4) !== 0) yield* input.pass(CHECKSUM_BYTES);
}

/** Bytes that come in pieces of any size, read by number. Throws where they end too early. */
class Input {
  readonly #stored: AsyncIterator<Buffer>;
  #piece: Buffer = Buffer.alloc(0);

  constructor(stored: AsyncIterator<Buffer>) {
    this.#stored = stored;
  }

  async ended(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#stored.next();
      if (done) return true;
      this.#piece = value;
    }
    return false;
  }

  async *pass(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      if (await this.ended()) throw new Error("unexpected end of file");
      const part = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async next(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.pass(bytes)) parts.push(part);
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}
