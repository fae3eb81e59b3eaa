const MAGIC = 0xfd2fb528;
/** The lowest of sixteen magic numbers of frames that hold no data. */
const SKIPPABLE = 0x184d2a50;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const REPEATED_BYTE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** Whether a file that begins with this number (little-endian) is Zstandard data. */
export function isZstd(magic: number): boolean {
  return magic === MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return magic >= SKIPPABLE && magic < SKIPPABLE + 16;
}

/**
 * The frames of Zstandard data (RFC 8878), each as its pieces, without those that hold no data: Node's decompressor
 * stops in silence after the first frame and drops the rest. Only the sizes in frame and block headers are looked at.
 * Each frame has to be read to its end before the next is asked for. Throws where something else than a frame follows
 * a frame, and where the data ends inside one.
 */
export async function* zstdFrames(stored: AsyncIterator<Buffer>): AsyncGenerator<AsyncGenerator<Buffer>> {
  const input = new Input(stored);
  while (!(await input.ended())) {
    const magic = await input.take(4);
    const kind = magic.readUInt32LE(0);
    if (isSkippable(kind)) {
      const size = (await input.take(4)).readUInt32LE(0);
      for await (const _ of input.pass(size));
    } else if (kind === MAGIC) yield dataFrame(magic, input);
    else throw new Error("something that is not a frame follows a frame");
  }
}

async function* dataFrame(magic: Buffer, input: Input): AsyncGenerator<Buffer> {
  yield magic;
  const descriptor = await input.take(1);
  yield descriptor;
  const bits = descriptor[0] as number;
  const size = CONTENT_SIZE_BYTES[bits >> 6] as number;
  const single = (bits & 0x20) !== 0;
  yield* input.pass((single ? Math.max(size, 1) : 1 + size) + (DICTIONARY_ID_BYTES[bits & 3] as number));
  for (let last = false; !last; ) {
    const header = await input.take(3);
    yield header;
    const block = header.readUIntLE(0, 3);
    const kind = (block >> 1) & 3;
    if (kind === RESERVED_BLOCK) throw new Error("a block has a kind that does not exist");
    last = (block & 1) === 1;
    yield* input.pass(kind === REPEATED_BYTE_BLOCK ? 1 : block >> 3);
  }
  if ((bits & 4) !== 0) yield* input.pass(CHECKSUM_BYTES);
}

/** Bytes in pieces of any size, to be taken by number. Throws where they end too early. */
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

  async take(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.pass(bytes)) parts.push(part);
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}
