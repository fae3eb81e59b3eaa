import { createHash } from "node:crypto";
import type { ObjectEntry, Present, ReadPlace, WritePlace } from "./contract.ts";
import { isMd5, tagOfParts } from "./tag.ts";

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
  if (entry.tag !== null && entry.tag === present.tag) return true;
  if (isMd5(entry.tag) && isMd5(present.tag)) return false;
  if (entry.tag === null) {
    // A source without a checksum is read: whole, or in the parts in which it would have been written.
    if (present.tag === null) return (await md5Of(entry, reader)) === (await writer.tagOf(entry, present));
    if (isMd5(present.tag)) return (await md5Of(entry, reader)) === present.tag;
    return (await tagInParts(entry, reader, writer.partBytes(present.size))) === present.tag;
  }
  const known = await writer.tagOf(entry, present);
  return known !== null && known === entry.tag;
}

async function md5Of(entry: ObjectEntry, reader: ReadPlace): Promise<string> {
  const opened = await reader.open(entry);
  try {
    const md5 = createHash("md5");
    for await (const bytes of opened.body()) md5.update(bytes);
    return md5.digest("hex");
  } finally {
    await opened.close();
  }
}

async function tagInParts(entry: ObjectEntry, reader: ReadPlace, partBytes: number): Promise<string> {
  const opened = await reader.open(entry);
  try {
    const md5s: string[] = [];
    let md5 = createHash("md5");
    let room = partBytes;
    for await (const bytes of opened.body()) {
      for (let at = 0; at < bytes.length; ) {
        const piece = bytes.subarray(at, at + room);
        md5.update(piece);
        at += piece.length;
        room -= piece.length;
        if (room > 0) continue;
        md5s.push(md5.digest("hex"));
        md5 = createHash("md5");
        room = partBytes;
      }
    }
    if (room < partBytes) md5s.push(md5.digest("hex"));
    return tagOfParts(md5s);
  } finally {
    await opened.close();
  }
}
