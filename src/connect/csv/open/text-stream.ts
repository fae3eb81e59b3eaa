import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { PawlError } from "../../../errors.ts";
import { isUrl } from "../../../url-scheme.ts";
import { type Compression, compressionOf, Decompressor } from "./decompress.ts";
import { STDIN } from "./find-files.ts";
import { FORMAT_HEAD, refuseOtherFormat } from "./other-formats.ts";
import { PipeInput } from "./pipe.ts";
import { type PlannedFile, refuseFile } from "./planned-file.ts";
import { assertUnchanged, openPlanned } from "./read-blocks.ts";
import { remoteBytes } from "./remote.ts";
import { unzipped } from "./zip.ts";

const PIECE = 256 * 1024;

/** Whether the beginning is peeked at for now, or all is read, which standard input allows once. */
export type Purpose = "peek" | "read";

/**
 * The text of a file or of standard input as UTF-8 bytes from the first one on, unpacked and decoded as needed,
 * without a byte order mark. Can be iterated once; leaving early closes everything beneath.
 */
export class TextStream implements AsyncIterable<Buffer> {
  readonly #file: PlannedFile;
  readonly #wanted: string;
  readonly #stdin: Readable | null;
  readonly #purpose: Purpose;
  #stored = 0;
  #decompressor: Decompressor | null = null;
  /** What the text was decoded from; known once the first bytes came. */
  encoding = "utf-8";
  /** Bytes of the byte order mark; known once the first bytes came. */
  bom = 0;

  constructor(file: PlannedFile, encoding: string, purpose: Purpose, stdin: Readable | null) {
    this.#file = file;
    this.#wanted = encoding;
    this.#purpose = purpose;
    this.#stdin = stdin;
  }

  /** The format that the file is compressed in; known once the first bytes came. */
  get compression(): Compression | null {
    return this.#decompressor?.compression ?? null;
  }

  /** How many bytes of the source, as stored, were needed so far. */
  get consumed(): number {
    if (this.#decompressor === null || this.#file.member !== null) return this.#stored;
    return this.#decompressor.consumed;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    let decoder: Decoder | null = null;
    let head: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#unpacked()) {
      let rest = bytes;
      if (decoder === null) {
        head = Buffer.concat([head, bytes]);
        if (head.length < LONGEST_BOM) continue;
        decoder = this.#decoderOf(head);
        rest = head.subarray(decoder.bom);
      }
      const text = decoder.decode(rest);
      if (text.length > 0) yield text;
    }
    // A text that is shorter than a byte order mark, and what a decoder held back of a character that never ended.
    const short = decoder === null ? head : null;
    decoder ??= this.#decoderOf(head);
    for (const text of [
      short === null ? null : decoder.decode(short.subarray(decoder.bom)),
      decoder.decode(null),
    ])
      if (text !== null && text.length > 0) yield text;
  }

  #decoderOf(head: Buffer): Decoder {
    const decoder = decoderOf(head, this.#wanted, this.#file.name);
    this.encoding = decoder.encoding;
    this.bom = decoder.bom;
    return decoder;
  }

  /** The first bytes tell whether anything is packed, whatever the name says. */
  async *#unpacked(): AsyncGenerator<Buffer> {
    const stored = this.#bytes();
    try {
      const { head, ended } = await atLeast(stored, FORMAT_HEAD);
      const all = async function* () {
        if (head.length > 0) yield head;
        if (!ended) yield* stored;
      };
      const compression = compressionOf(head);
      if (compression === null) {
        refuseOtherFormat(head, this.#file.name);
        yield* all();
      } else {
        this.#decompressor = new Decompressor(compression, this.#file);
        yield* this.#decompressor.bytes(all());
      }
    } finally {
      await stored.return(undefined);
    }
  }

  /** The bytes as they are stored, of a member of an archive as they are without it. */
  async *#bytes(): AsyncGenerator<Buffer> {
    const { member } = this.#file;
    if (member === null) {
      for await (const bytes of this.#whole()) {
        this.#stored += bytes.length;
        yield bytes;
      }
      return;
    }
    let unpacked = 0;
    for await (const bytes of unzipped(this.#file, member)) {
      unpacked += bytes.length;
      this.#stored = Math.round((unpacked / member.bytes) * member.packedBytes);
      yield bytes;
    }
  }

  #whole(): AsyncIterable<Buffer> {
    const { path, name, pipe } = this.#file;
    if (pipe) {
      const input =
        path === STDIN
          ? PipeInput.ofStream(this.#stdin ?? process.stdin, name)
          : PipeInput.ofPath(path, name);
      return this.#purpose === "peek" ? input.peek() : input.read();
    }
    return isUrl(path) ? remoteBytes(this.#file) : this.#local();
  }

  /** A file that is peeked at may be any version; one that is read must be the planned one, to its last byte. */
  async *#local(): AsyncGenerator<Buffer> {
    const { path, name } = this.#file;
    const reads = this.#purpose === "read";
    await using handle = reads
      ? await openPlanned(this.#file)
      : await open(path).catch((error) => refuseFile(error, name));
    // The handle is closed here and not by the stream, which ends before its last pieces are consumed.
    const stream = createReadStream(path, { fd: handle, highWaterMark: PIECE, autoClose: false });
    for await (const bytes of stream) {
      if (reads) await assertUnchanged(handle, this.#file);
      yield bytes;
    }
  }
}

/** The bytes of UTF-8's byte order mark; those of UTF-16 have two. */
const LONGEST_BOM = 3;

interface Decoder {
  readonly encoding: string;
  readonly bom: number;
  /** The bytes that follow as UTF-8; null at the end. */
  decode(bytes: Buffer | null): Buffer;
}

/**
 * A decoder to UTF-8. A byte order mark decides the encoding. Bytes that are UTF-8 already pass as they are, valid or not, so
 * that an invalid one costs its row and not the file. Errors: `csv.encoding`.
 */
function decoderOf(head: Buffer, wanted: string, name: string): Decoder {
  const { encoding, bom } = byMark(head) ?? { encoding: wanted, bom: 0 };
  if (encoding === "utf-8") return { encoding, bom, decode: (bytes) => bytes ?? Buffer.alloc(0) };
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let offset = bom;
  const decode = (bytes: Buffer | null) => {
    try {
      const text = bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
      offset += bytes?.length ?? 0;
      return Buffer.from(text);
    } catch (error) {
      throw new PawlError(
        "csv.encoding",
        `${name} holds bytes that are not ${encoding}, somewhere after byte ${offset}: give the encoding it is in with \`encoding\`.`,
        { cause: error },
      );
    }
  };
  return { encoding, bom, decode };
}

function byMark(head: Buffer): { encoding: string; bom: number } | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { encoding: "utf-8", bom: 3 };
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: "utf-16le", bom: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: "utf-16be", bom: 2 };
  return null;
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
