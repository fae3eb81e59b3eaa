/** Whether an object is encrypted with a key of the key service: its ETag looks like an MD5 then, and is none. */
export function isByKey(encryption: unknown): boolean {
  return typeof encryption === "string" && encryption.startsWith("aws:kms");
}
