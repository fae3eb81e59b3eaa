import { createHash, randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_DIGITS = 16;
const pool = new Uint8Array(4096);
let at = pool.length;

/** The digits of the last moment: many ids are made in the same one. */
let moment = Number.NaN;
let head = "";

/** A new id: 10 digits of time and 80 random bits in base 32, so that ids made one after the other lie together. */
export function newTaskId(): string {
  const now = Date.now();
  if (now !== moment) {
    moment = now;
    head = "";
    for (let digit = 0, time = now; digit < 10; digit++) {
      head = ALPHABET[time % 32] + head;
      time = Math.floor(time / 32);
    }
  }
  if (at + RANDOM_DIGITS > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  let tail = "";
  for (let digit = 0; digit < RANDOM_DIGITS; digit++) tail += ALPHABET[(pool[at++] as number) & 31];
  return head + tail;
}

/** The id that follows from some texts: the same for the same ones, and for no others. */
export function derivedId(...texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("base64url").slice(0, 26);
}
