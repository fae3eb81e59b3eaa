/** Halves of characters that UTF-8 orders behind all others, and those that JavaScript does. */
const BEYOND = /[\ud800-\uffff]/;

/** The order in which S3 lists keys: by their UTF-8 bytes, which is not that of JavaScript's strings. */
export function compareKeys(a: string, b: string): number {
  // Up to here both orders are one.
  if (!BEYOND.test(a) && !BEYOND.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
