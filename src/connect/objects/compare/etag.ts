import { createHash } from "node:crypto";

/** Whether a tag is the MD5 of a content, and not of its parts or something else. */
export function isMd5(tag: string | null): tag is string {
  return tag !== null && /^[0-9a-f]{32}$/.test(tag);
}

/** Whether a tag is that of an object of several parts. */
export function isOfParts(tag: string | null): boolean {
  return tag !== null && /-\d+$/.test(tag);
}

/** The MD5 in the tag of an object of so many parts; null where it is none. */
export function inPartsOf(tag: string, parts: number): string | null {
  return tag.endsWith(`-${parts}`) ? tag.slice(0, tag.lastIndexOf("-")) : null;
}

/** The tag that S3 gives to an object uploaded in parts: the MD5 of their MD5s, and how many they were. */
export function tagOfParts(md5s: readonly string[]): string {
  const all = Buffer.from(md5s.join(""), "hex");
  return `${createHash("md5").update(all).digest("hex")}-${md5s.length}`;
}

/** An ETag without what HTTP puts around it. */
export function tagOf(etag: string | undefined | null): string | null {
  if (etag === undefined || etag === null) return null;
  const strong = etag.startsWith("W/") ? etag.slice(2) : etag;
  return strong.length > 1 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong;
}

/** The tag of some bytes: their MD5, or that of their parts. */
export async function tagOfBytes(
  pieces: AsyncIterable<Uint8Array>,
  partBytes: number | null,
): Promise<string> {
  const md5s: string[] = [];
  let md5 = createHash("md5");
  let room = partBytes ?? Number.POSITIVE_INFINITY;
  for await (const bytes of pieces) {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, Math.min(bytes.length, at + room));
      md5.update(piece);
      at += piece.length;
      room -= piece.length;
      if (room > 0 || partBytes === null) continue;
      md5s.push(md5.digest("hex"));
      md5 = createHash("md5");
      room = partBytes;
    }
  }
  if (partBytes === null) return md5.digest("hex");
  if (room < partBytes) md5s.push(md5.digest("hex"));
  return tagOfParts(md5s);
}
