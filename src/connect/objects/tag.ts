import { createHash } from "node:crypto";

/** Whether a tag is the MD5 of a content, and not of its parts or something else. */
export function isMd5(tag: string | null): tag is string {
  return tag !== null && /^[0-9a-f]{32}$/.test(tag);
}

/** The tag that S3 gives to an object uploaded in parts: the MD5 of their MD5s, and how many they were. */
export function tagOfParts(md5s: readonly string[]): string {
  const all = Buffer.from(md5s.join(""), "hex");
  return `${createHash("md5").update(all).digest("hex")}-${md5s.length}`;
}

/** An ETag without what HTTP puts around it. */
export function tagOf(etag: string | undefined | null): string | null {
  return etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1") ?? null;
}
