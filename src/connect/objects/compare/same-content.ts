import { TransientError } from "../../../errors.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter, PresentObject } from "../contract.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import { etagOfBytes, isMd5 } from "./etag.ts";

/** Whether the target has an object already, by the size and the checksum that both listings tell. */
export function isSameByListing({ size, etag }: ObjectEntry, present: PresentObject): boolean {
  return size === present.size && etag !== null && etag === present.etag;
}

/** As `isSameByListing`, where the listing of the source tells no checksum but one is known from another time. */
export function isSameByCache(
  entry: ObjectEntry,
  present: PresentObject,
  reader: ObjectReader,
  writer: ObjectWriter,
): boolean {
  if (entry.etag !== null || present.etag === null || entry.size !== present.size) return false;
  if (entry.knownMd5 !== undefined && isMd5(present.etag)) return entry.knownMd5 === present.etag;
  const partBytes = isMd5(present.etag) ? null : writer.partBytes(present.size);
  return reader.cachedEtag?.(entry, partBytes) === present.etag;
}

/**
 * Whether the target has an object already, by size and checksum. What the listings say is enough where both
 * locations have checksums; else the side that has none is read. Where no checksum can be compared, they count as different.
 */
export async function isSameContent(
  entry: ObjectEntry,
  present: PresentObject,
  reader: ObjectReader,
  writer: ObjectWriter,
): Promise<boolean> {
  if (entry.size !== present.size) return false;
  if (isSameByListing(entry, present)) return true;
  if (isMd5(entry.etag) && isMd5(present.etag)) return false;
  if (entry.etag === null) {
    // A source without a checksum is read, in the parts in which it would have been written.
    const inParts = present.etag !== null && !isMd5(present.etag);
    const etag = await etagByReading(entry, reader, inParts ? writer.partBytes(present.size) : null);
    return etag === (present.etag ?? (await writer.etagOf(entry, present, null)));
  }
  const partBytes = isMd5(entry.etag) ? null : ((await reader.partBytes(entry)) ?? partBytesOf(present.size));
  return entry.etag === (await writer.etagOf(entry, present, partBytes));
}

/** As many bytes as were announced, and no more. */
async function* atMost(
  pieces: AsyncIterable<Uint8Array>,
  announced: number | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  let came = 0;
  for await (const piece of pieces) {
    came += piece.length;
    if (announced !== null && came > announced)
      throw new TransientError("copy.too-long", `more bytes came than the ${announced} that were announced`);
    yield piece;
  }
}

/** The ETag of an object by reading it: of the whole, or in parts of so many bytes. */
export async function etagByReading(
  entry: ObjectEntry,
  reader: ObjectReader,
  partBytes: number | null,
): Promise<string> {
  if (reader.etagOf !== undefined) return await reader.etagOf(entry, partBytes);
  const opened = await reader.open(entry);
  try {
    return await etagOfBytes(atMost(opened.body(), opened.size ?? entry.size), partBytes);
  } finally {
    await opened.close();
  }
}
