import { pbkdf2Sync } from "node:crypto";
import { callable, get, type Ref, type SharedArray } from "../../dist/pool/index.js";

/**
 * V8 may leave a function that is called seldom and loops for long in its interpreter, for seconds, at a tenth of the
 * speed, and its caller too. So long loops call a short one, which is called often and is compiled at once.
 */
const BLOCK = 1000;

/** The published comparison's work: the sum of an item's bytes. */
export function sumOf(bytes: Uint8Array): number {
  const { length } = bytes;
  if (length <= BLOCK) return sumBetween(bytes, 0, length);
  let sum = 0;
  for (let from = 0; from < length; from += BLOCK) {
    sum += sumBetween(bytes, from, Math.min(from + BLOCK, length));
  }
  return sum;
}

function sumBetween(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += bytes[at] as number;
  return sum;
}

export function squareOf(x: number): number {
  return x * x;
}

/** Work for the processor alone, so many blocks of it: a clock would go on while the thread has no core. */
export function churn(blocks: number): number {
  let x = 1;
  for (let block = 0; block < blocks; block++) x = churnBlock(x);
  return x;
}

function churnBlock(seed: number): number {
  let x = seed;
  for (let turn = 0; turn < TURNS; turn++) {
    // Xorshift: whole numbers of 32 bits at each step, of which V8 makes the same code everywhere.
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return x;
}

/** Less than half a microsecond. */
const TURNS = 200;

/** An item of a certain cost and a certain size. */
export interface Weighed {
  readonly blocks: number;
  readonly bytes: Uint8Array;
}

export const sum = callable(import.meta, sumOf);
export const square = callable(import.meta, squareOf);
export const busy = callable(import.meta, churn);
export const weighed = callable(import.meta, ({ blocks }: Weighed) => churn(blocks));

export const squareInPlace = callable(import.meta, ({ data }: SharedArray<"float64">): number => {
  for (let at = 0; at < data.length; at++) data[at] = (data[at] as number) * (data[at] as number);
  return data.length;
});

export const squareCopy = callable(import.meta, (data: Float64Array): Float64Array => {
  for (let at = 0; at < data.length; at++) data[at] = (data[at] as number) * (data[at] as number);
  return data;
});

/** The milliseconds that it took here to get the value the first time, and once more. */
export const timeGet = callable(import.meta, (ref: Ref<Float64Array>): [number, number] => {
  const began = performance.now();
  const first = get(ref);
  const between = performance.now();
  const again = get(ref);
  const ended = performance.now();
  if (first.length !== again.length || first[first.length - 1] !== 1) throw new Error("got something else");
  return [between - began, ended - between];
});

export const lengthOf = callable(import.meta, (data: Float64Array) => data.length);

export const spinForEver = callable(import.meta, () => {
  while (performance.now() > 0);
});

/** Does not come back to JavaScript for hours. */
export const hashForEver = callable(import.meta, () => {
  pbkdf2Sync("password", "salt", 2 ** 31 - 1, 64, "sha512");
});
