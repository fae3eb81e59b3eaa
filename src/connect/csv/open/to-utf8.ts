import { PawlError } from "../../../errors.ts";

/** Bytes as UTF-8, the encoding they were in, and how long the BOM was that stood before the first of them. */
export interface Utf8Piece {
  readonly bytes: Buffer;
  readonly encoding: string;
  readonly bom: number;
}

/**
 * Decodes to UTF-8. A BOM decides the encoding and is dropped. Bytes that are UTF-8 already pass as they are, valid
 * or not, so that a bad one costs its row and not the file. Errors: `csv.encoding`.
 */
export async function* toUtf8(
  raw: AsyncIterable<Buffer>,
  encoding: string,
  name: string,
): AsyncGenerator<Utf8Piece> {
  let head: Buffer | null = Buffer.alloc(0);
  let decoder: ReturnType<typeof decoding> | null = null;
  for await (const bytes of raw) {
    if (head) {
      head = Buffer.concat([head, bytes]);
      if (head.length < 3) continue;
      decoder = decoding(head, encoding, name);
      yield decoder.piece(head.subarray(decoder.bom));
      head = null;
    } else if (decoder) yield decoder.piece(bytes);
  }
  if (head) {
    decoder = decoding(head, encoding, name);
    yield decoder.piece(head.subarray(decoder.bom));
  }
  if (decoder) yield decoder.piece(null);
}

function decoding(head: Buffer, wanted: string, name: string) {
  const { encoding, bom } = byMark(head) ?? { encoding: wanted, bom: 0 };
  if (encoding === "utf-8")
    return { bom, piece: (bytes: Buffer | null) => ({ bytes: bytes ?? Buffer.alloc(0), encoding, bom }) };
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let offset = bom;
  const piece = (bytes: Buffer | null): Utf8Piece => {
    try {
      const text = bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
      offset += bytes?.length ?? 0;
      return { bytes: Buffer.from(text), encoding, bom };
    } catch (error) {
      throw new PawlError(
        "csv.encoding",
        `${name} holds bytes that are not ${encoding}, somewhere after byte ${offset}: give the encoding it is in with --encoding.`,
        { cause: error },
      );
    }
  };
  return { bom, piece };
}

function byMark(head: Buffer): { encoding: string; bom: number } | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { encoding: "utf-8", bom: 3 };
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: "utf-16le", bom: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: "utf-16be", bom: 2 };
  return null;
}
