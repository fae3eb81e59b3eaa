import { createHash } from "node:crypto";

/** Whether an ETag is the MD5 of a content, and not of its parts or something else. */
export function isMd5(etag: string | null): etag is string {
  return etag !== null && /^[0-9a-f]{32}$/.test(etag);
}

/** Whether an ETag is that of an object of several parts. */
export function isMultipartEtag(etag: string | null): boolean {
  return etag !== null && /-\d+$/.test(etag);
}

/** The MD5 in the ETag of an object of so many parts; null where the ETag is not of that form. */
export function md5OfMultipartEtag(etag: string, parts: number): string | null {
  return etag.endsWith(`-${parts}`) ? etag.slice(0, etag.lastIndexOf("-")) : null;
}

/** The ETag that S3 gives to an object uploaded in parts: the MD5 of their MD5s, and how many they were. */
export function multipartEtag(md5s: readonly string[]): string {
  const all = Buffer.from(md5s.join(""), "hex");
  return `${createHash("md5").update(all).digest("hex")}-${md5s.length}`;
}

/** An ETag without what HTTP puts around it. */
export function unquotedEtag(etag: string | undefined | null): string | null {
  if (etag === undefined || etag === null) return null;
  const strong = etag.startsWith("W/") ? etag.slice(2) : etag;
  return strong.length > 1 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong;
}

/** The ETag of some bytes: their MD5, or that of their parts. */
export async function etagOfBytes(
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
  return multipartEtag(md5s);
}
