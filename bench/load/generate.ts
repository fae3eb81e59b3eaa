import { closeSync, openSync } from "node:fs";
import { TextBuffer } from "./text-buffer.ts";

/** What to write. Equal options give equal bytes. */
export interface Content {
  readonly rows: number;
  /** In an order without pattern instead of 1, 2, 3 …; every key still comes once. */
  readonly shuffled?: boolean;
  /** Another amount in every row, the rest as it was. */
  readonly changed?: boolean;
  /** So many rows, spread evenly, repeat the key of an earlier row with other values. */
  readonly duplicates?: number;
}

const averageRow = 84.6;
const longestRow = 200;

/** How many rows make a file of about this size. */
export function rowsIn(bytes: number): number {
  return Math.max(1, Math.round(bytes / averageRow));
}

/** Writes a CSV of `id,email,name,city,amount,created_at,active` and returns its size in bytes. */
export function generate(path: string, content: Content): number {
  const { rows, shuffled = false, changed = false, duplicates = 0 } = content;
  const stride = duplicates > 0 ? Math.floor(rows / duplicates) : rows + 1;
  const file = openSync(path, "w");
  try {
    const out = new TextBuffer(file);
    out.text(header);
    for (let row = 0; row < rows; row++) {
      out.flush(longestRow);
      const repeats = row % stride === stride - 1;
      const ordinal = repeats ? row - (stride >>> 1) : row;
      const id = 1 + (shuffled ? shuffle(ordinal, rows) : ordinal);
      writeRow(out, id, changed || repeats ? 1 : 0);
    }
    out.flush();
    return out.written;
  } finally {
    closeSync(file);
  }
}

/**
 * Everything but the key follows from a hash of it, so that a row looks alike in every file that holds its key. The
 * hash stays below 2³¹ and the tables stay small: both keep this at the speed of the disk.
 */
function writeRow(out: TextBuffer, id: number, raise: number): void {
  const hash = Math.imul(id ^ (id >>> 15), 0x2c1b3c6d) >>> 1;
  out.number(id);
  out.text(user);
  out.number(id);
  out.text(people[hash & 511] as Uint8Array);
  out.number(((hash >>> 7) % 9000) + raise);
  out.text(cents[hash % 100] as Uint8Array);
  out.text(days[(hash >>> 12) % 366] as Uint8Array);
  out.text(minutes[(hash >>> 3) % 1440] as Uint8Array);
  out.text(seconds[(hash >>> 14) % 60] as Uint8Array);
}

/**
 * A permutation of 0 … rows-1: a bijection of the next power of two (odd multiplication and xor-shift each are one),
 * walked until it lands inside.
 */
function shuffle(ordinal: number, rows: number): number {
  const bits = Math.max(2, 32 - Math.clz32(rows - 1));
  const mask = 2 ** bits - 1;
  const half = bits >>> 1;
  let value = ordinal;
  do {
    value = (Math.imul(value, 0x9e3779b1) & mask) >>> 0;
    value ^= value >>> half;
    value = (Math.imul(value, 0x85ebca6b) & mask) >>> 0;
    value ^= value >>> half;
  } while (value >= rows);
  return value;
}

/** The texts that rows are put together from, encoded once. */
function pieces(count: number, textOf: (index: number) => string): Uint8Array[] {
  const encoder = new TextEncoder();
  return Array.from({ length: count }, (_, index) => encoder.encode(textOf(index)));
}

const two = (number: number) => String(number).padStart(2, "0");
const header = new TextEncoder().encode("id,email,name,city,amount,created_at,active\n");
const user = new TextEncoder().encode(",User");
const givenNames = ["Ada", "Alan", "Edsger", "Grace", "Barbara", "Donald", "Niklaus", "Frances"];
const familyNames = ["Dijkstra", "Hopper", "Kay", "Knuth", "Liskov", "Lovelace", "Perlis", "Wirth"];
const cities = ["Bonn", "Graz", "Kyoto", "Lagos", "Lima", "Oslo", "Porto", "Quito"];
/** Name and city; one name in eight needs quotes. */
const people = pieces(512, (index) => {
  const given = givenNames[index & 7];
  const family = familyNames[(index >> 3) & 7];
  const name = ((index + (index >> 3)) & 7) === 0 ? `"${family}, ${given}"` : `${given} ${family}`;
  return `@Example.com,${name},${cities[(index >> 6) & 7]},`;
});
const cents = pieces(100, (cent) => `.${two(cent)},`);
const days = pieces(366, (day) => `${new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10)}T`);
const minutes = pieces(1440, (minute) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}:`);
const seconds = pieces(60, (second) => `${two(second)}Z,${second % 3 === 0}\n`);
