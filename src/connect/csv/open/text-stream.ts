import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { PawlError } from "../../../errors.ts";
import { assertVersion, type FileVersion, openVersion } from "../rows/chunk-bytes.ts";
import { isZstd, zstdFrames } from "./decompress.ts";
import { fileTrouble } from "./file-version.ts";
import { STDIN } from "./find-files.ts";
import { ARCHIVE_HEAD, refuseArchive } from "./other-formats.ts";
import { SinglePass } from "./pipe.ts";
import { isRemote, remoteBytes } from "./remote.ts";
import { toUtf8 } from "./to-utf8.ts";
import { unzipped } from "./zip.ts";

const PIECE = 256 * 1024;

/** Whether the bytes are only looked at for now, or read for good, which standard input allows once. */
export type Purpose = "look" | "read";

/**
 * The text of a file or of standard input as UTF-8 bytes from the first one on, unpacked and decoded as needed,
 * without a BOM. Can be iterated once; leaving early closes everything beneath.
 */
export class DecodedStream implements AsyncIterable<Buffer> {
  readonly #file: FileVersion;
  readonly #encoding: string;
  readonly #stdin: Readable | null;
  readonly #purpose: Purpose;
  #raw = 0;
  /** Bytes of the frames before the one that is being unpacked. */
  #unpacked = 0;
  #unpacker: (Transform & { readonly bytesWritten: number }) | null = null;
  /** Known once the first bytes came. */
  compression: "gzip" | "zstd" | null = null;
  encoding = "utf-8";
  bom = 0;

  constructor(file: FileVersion, encoding: string, purpose: Purpose, stdin: Readable | null) {
    this.#file = file;
    this.#encoding = encoding;
    this.#purpose = purpose;
    this.#stdin = stdin;
  }

  /** How many bytes of the source, as stored, were needed so far. */
  get consumed(): number {
    if (this.compression === null || this.#file.member !== null) return this.#raw;
    return this.#unpacked + (this.#unpacker?.bytesWritten ?? 0);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const raw = this.#text(this.#stored());
    for await (const { bytes, encoding, bom } of toUtf8(raw, this.#encoding, this.#file.name)) {
      this.encoding = encoding;
      this.bom = bom;
      if (bytes.length > 0) yield bytes;
    }
  }

  async *#stored(): AsyncGenerator<Buffer> {
    const { path, name, pipe } = this.#file;
    if (pipe) {
      const input =
        path === STDIN ? SinglePass.of(this.#stdin ?? process.stdin, name) : SinglePass.at(path, name);
      for await (const bytes of this.#purpose === "look" ? input.look() : input.take()) {
        this.#raw += bytes.length;
        yield bytes;
      }
      return;
    }
    const { member } = this.#file;
    if (isRemote(path)) {
      for await (const bytes of remoteBytes(this.#file)) {
        this.#raw += bytes.length;
        yield bytes;
      }
      return;
    }
    if (member !== null) {
      let bytes = 0;
      for await (const piece of unzipped(this.#file, member)) {
        bytes += piece.length;
        this.#raw = Math.round((bytes / member.bytes) * member.packedBytes);
        yield piece;
      }
      return;
    }
    // A file that is looked at may be any version; one that is read must be the planned one, to its last byte.
    const reads = this.#purpose === "read";
    await using handle = reads
      ? await openVersion(this.#file)
      : await open(path).catch((error) => fileTrouble(error, name));
    // Closed here and not by the stream, which ends before its last pieces are taken.
    for await (const bytes of createReadStream(path, {
      fd: handle,
      highWaterMark: PIECE,
      autoClose: false,
    })) {
      if (reads) await assertVersion(handle, this.#file);
      this.#raw += bytes.length;
      yield bytes;
    }
  }

  /** The first bytes tell whether anything is packed, whatever the name says. */
  async *#text(stored: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    try {
      const { head, ended } = await atLeast(stored, ARCHIVE_HEAD);
      const rest = async function* () {
        if (head.length > 0) yield head;
        if (!ended) yield* stored;
      };
      this.compression = compressionOf(head);
      if (this.compression === null) {
        refuseArchive(head, this.#file.name);
        yield* rest();
      } else if (this.compression === "zstd") yield* this.#unzstd(rest());
      else yield* this.#gunzipped(rest());
    } finally {
      await stored.return(undefined);
    }
  }

  async *#unzstd(stored: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    try {
      for await (const frame of zstdFrames(stored)) {
        yield* this.#through(createZstdDecompress({ chunkSize: PIECE }), frame);
        this.#unpacked += this.#unpacker?.bytesWritten ?? 0;
        this.#unpacker = null;
      }
    } catch (error) {
      throw error instanceof PawlError ? error : this.#corrupt(error);
    }
  }

  /** All members of a gzip file. Node ends in silence at a zero byte after a member: only padding may follow one. */
  async *#gunzipped(stored: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    let fed: { readonly bytes: Buffer; readonly end: number }[] = [];
    let total = 0;
    const unpacker = createGunzip({ chunkSize: PIECE });
    let coming = stored.next();
    // By hand, because leaving a loop would close what has to be read to its end.
    const feeding = async function* () {
      for (let piece = await coming; !piece.done; coming = stored.next(), piece = await coming) {
        fed = fed.filter(({ end }) => end > unpacker.bytesWritten);
        total += piece.value.length;
        fed.push({ bytes: piece.value, end: total });
        end = Buffer.concat([end, piece.value.subarray(-TRAILER - 1)]).subarray(-TRAILER - 1);
        yield piece.value;
      }
    };
    let end: Buffer = Buffer.alloc(0);
    let unpacked = 0;
    try {
      for await (const bytes of this.#through(unpacker, feeding())) {
        unpacked += bytes.length;
        yield bytes;
      }
    } catch (error) {
      throw endsBefore(end, unpacked) && isCorrupt(error)
        ? this.#corrupt(new Error("a byte follows", { cause: error }))
        : error;
    }
    await coming;
    const taken = unpacker.bytesWritten;
    const left = fed.map(({ bytes, end }) => bytes.subarray(Math.max(0, bytes.length - (end - taken))));
    for (const bytes of left) this.#checkPadding(bytes);
    for await (const bytes of stored) this.#checkPadding(bytes);
  }

  #checkPadding(bytes: Buffer): void {
    if (bytes.some((byte) => byte !== 0)) throw this.#corrupt(new Error("something follows the padding"));
  }

  async *#through(
    unpacker: Transform & { readonly bytesWritten: number },
    stored: AsyncGenerator<Buffer>,
  ): AsyncGenerator<Buffer> {
    this.#unpacker = unpacker;
    pipeline(Readable.from(stored, { objectMode: false, highWaterMark: PIECE }), unpacker, () => {});
    try {
      for await (const bytes of unpacker) yield bytes;
    } catch (error) {
      throw error instanceof PawlError ? error : this.#corrupt(error);
    } finally {
      unpacker.destroy();
    }
  }

  #corrupt(error: unknown): PawlError {
    const reason = error instanceof Error ? error.message : String(error);
    const { name, pipe, path } = this.#file;
    // The magic of the first member was seen, so a wrong one stands behind a member.
    if (/incorrect header check|follows/.test(reason)) {
      const unpacked = pipe || isRemote(path) ? `unpack it with ${this.compression} -dc into a pipe` : null;
      return new PawlError(
        "csv.corrupt-archive",
        `${name} has something behind its ${this.compression} data that is not ${this.compression}: fetch the file again, ` +
          `or leave that out: ${unpacked ?? `${this.compression} -dc ${name} | pawl load - …`}.`,
        { cause: error },
      );
    }
    return new PawlError(
      "csv.corrupt-archive",
      `${name} is cut off or damaged: ${this.compression} says '${reason}' after ${this.consumed} bytes; fetch the file again.`,
      { cause: error },
    );
  }
}

/** Of a gzip member: its checksum and how many bytes it holds, modulo 2 to the 32nd. */
const TRAILER = 8;

/**
 * Whether a gzip file that holds so many bytes ends with a single byte that is not of its data: Node waits for more of what it takes for
 * the next member, and then calls the file cut off.
 */
function endsBefore(end: Buffer, unpacked: number): boolean {
  return end.length > TRAILER && end.at(-1) !== 0x1f && end.readUInt32LE(TRAILER - 4) === unpacked % 2 ** 32;
}

function isCorrupt(error: unknown): boolean {
  return error instanceof PawlError && error.code === "csv.corrupt-archive";
}

function compressionOf(head: Buffer): "gzip" | "zstd" | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.length >= 4 && isZstd(head.readUInt32LE(0)) ? "zstd" : null;
}

async function atLeast(source: AsyncGenerator<Buffer>, want: number) {
  const parts: Buffer[] = [];
  let length = 0;
  while (length < want) {
    const { done, value } = await source.next();
    if (done) return { head: Buffer.concat(parts), ended: true };
    parts.push(value);
    length += value.length;
  }
  return { head: Buffer.concat(parts), ended: false };
}
