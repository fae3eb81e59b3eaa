import { TransientError } from "../../../errors.ts";
import type { ObjectEntry, Present, ReadPlace, WritePlace } from "../contract.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import { isMd5, tagOfBytes } from "./etag.ts";

/** Whether the target has an object already, by the size and the checksum that both listings tell. */
export function looksSame({ size, tag }: ObjectEntry, present: Present): boolean {
  return size === present.size && tag !== null && tag === present.tag;
}

/** As `looksSame`, where the listing of the source tells no checksum but one is known from another time. */
export function isKnownSame(
  entry: ObjectEntry,
  present: Present,
  reader: ReadPlace,
  writer: WritePlace,
): boolean {
  if (entry.tag !== null || present.tag === null || entry.size !== present.size) return false;
  if (entry.known !== undefined && isMd5(present.tag)) return entry.known === present.tag;
  const partBytes = isMd5(present.tag) ? null : writer.partBytes(present.size);
  return reader.knownTag?.(entry, partBytes) === present.tag;
}

/**
 * Whether the target has an object already, by size and checksum. What the listings say is enough where both places
 * have checksums; else the side that has none is read. Where no checksum can be compared, they count as different.
 */
export async function isSame(
  entry: ObjectEntry,
  present: Present,
  reader: ReadPlace,
  writer: WritePlace,
): Promise<boolean> {
  if (entry.size !== present.size) return false;
  if (looksSame(entry, present)) return true;
  if (isMd5(entry.tag) && isMd5(present.tag)) return false;
  if (entry.tag === null) {
    // A source without a checksum is read, in the parts in which it would have been written.
    const inParts = present.tag !== null && !isMd5(present.tag);
    const tag = await tagByReading(entry, reader, inParts ? writer.partBytes(present.size) : null);
    return tag === (present.tag ?? (await writer.tagOf(entry, present, null)));
  }
  const partBytes = isMd5(entry.tag) ? null : ((await reader.partBytes(entry)) ?? partBytesOf(present.size));
  return entry.tag === (await writer.tagOf(entry, present, partBytes));
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

/** The tag of an object by reading it: of the whole, or in parts of so many bytes. */
export async function tagByReading(
  entry: ObjectEntry,
  place: ReadPlace,
  partBytes: number | null,
): Promise<string> {
  if (place.tagOf !== undefined) return await place.tagOf(entry, partBytes);
  const opened = await place.open(entry);
  try {
    return await tagOfBytes(atMost(opened.body(), opened.size ?? entry.size), partBytes);
  } finally {
    await opened.close();
  }
}
