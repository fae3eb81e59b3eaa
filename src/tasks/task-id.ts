import { createHash, randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_DIGITS = 16;
const pool = Buffer.alloc(4096);
/** The random bytes as digits, and how many are used: a slice of one text costs less than digits one by one. */
let digits = "";
let at = 0;

/** The latest millisecond and its digits, kept because many ids are made in the same one. */
let latestMs = Number.NaN;
let head = "";

/** A new id: 10 digits of time and 80 random bits in base 32, so that ids sort by the time at which they were made. */
export function newTaskId(): string {
  const now = Date.now();
  if (now !== latestMs) {
    latestMs = now;
    head = "";
    for (let digit = 0, time = now; digit < 10; digit++) {
      head = ALPHABET[time % 32] + head;
      time = Math.floor(time / 32);
    }
  }
  if (at === digits.length) {
    randomFillSync(pool);
    for (let byte = 0; byte < pool.length; byte++) {
      pool[byte] = ALPHABET.charCodeAt((pool[byte] as number) & 31);
    }
    digits = pool.toString("latin1");
    at = 0;
  }
  at += RANDOM_DIGITS;
  return head + digits.slice(at - RANDOM_DIGITS, at);
}

/** An id from a digest of some texts: equal texts give equal ids, and different texts different ones. */
export function derivedId(...texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("base64url").slice(0, 26);
}
