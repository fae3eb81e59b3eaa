import { closeSync, fsyncSync, openSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { quoted, shown } from "../../arguments.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { isThenable, keyOf, type PartState, type Push, received, receivedOne } from "./chain.ts";
import { type Gather, type Partitioned, partitioner } from "./exchange.ts";
import { drawn } from "./key.ts";
import { assertKept, SegmentWriter, type SpillFile, type SpillSegment, writeAll } from "./segments.ts";
import type { SentFunction, SentKey } from "./steps.ts";

/** What becomes of the items that come out of the steps of a part. */
export type Collector =
  | { readonly kind: "count" }
  | { readonly kind: "items" }
  | { readonly kind: "take"; readonly count: number }
  | { readonly kind: "draw"; readonly count: number; readonly seed: number }
  | { readonly kind: "sum" }
  | {
      readonly kind: "top";
      readonly count: number;
      readonly by: SentKey;
      readonly least: boolean;
      readonly method: string;
    }
  | { readonly kind: "any" | "all"; readonly fn: SentFunction | null }
  | { readonly kind: "fold"; readonly fn: SentFunction; readonly initial: unknown }
  | {
      readonly kind: "write";
      readonly format: "jsonl" | "lines";
      readonly compression: FileCompression;
      readonly folder: string;
      readonly ending: string;
    }
  | {
      readonly kind: "gather";
      readonly gather: Gather | { readonly kind: "side"; readonly by: SentKey };
      readonly partitions: number;
    };

/** How a whole file is compressed. */
export type FileCompression = "none" | "gzip" | "zstd";

/** What a part gives: of each collector its own. */
export type Collected =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "items"; readonly segments: readonly SpillSegment[] }
  | { readonly kind: "drawn"; readonly drawn: readonly Drawn[] }
  | { readonly kind: "sum"; readonly sum: Sum }
  | { readonly kind: "top"; readonly top: readonly Ranked[] }
  | { readonly kind: "found"; readonly found: boolean }
  | { readonly kind: "folded"; readonly value: unknown; readonly empty: boolean }
  | { readonly kind: "written"; readonly file: string; readonly items: number; readonly bytes: number }
  | { readonly kind: "gathered"; readonly partitions: Partitioned };

/** An item with the number that was drawn for it. */
export type Drawn = readonly [number, unknown];
/** An item with what it is ranked by. */
export type Ranked = readonly [Comparable, unknown];
/** Values that have an order: numbers, texts, bigints. */
export type Comparable = number | string | bigint;

/** A sum with the digits that it lost (Neumaier, 1974), or of whole numbers of any size. */
export interface Sum {
  readonly count: number;
  readonly sum: number;
  readonly lost: number;
  readonly big: bigint | null;
}

export interface ItemCollector {
  readonly push: Push;
  /** Told of bytes of lines that were worked on: puts aside what is held after many. */
  readonly relieve?: (bytes: number) => void;
  readonly finish: () => Collected;
}

export async function collecting(
  collector: Collector,
  state: PartState,
  file: SpillFile,
  name: string,
): Promise<ItemCollector> {
  switch (collector.kind) {
    case "count": {
      let count = 0;
      return { push: () => count++, finish: () => ({ kind: "count", count }) };
    }
    case "items":
      return itemsOf(file, Number.POSITIVE_INFINITY, state);
    case "take":
      return itemsOf(file, collector.count, state);
    case "draw":
      return draw(collector, state, file);
    case "sum":
      return summing();
    case "top":
      return await ranking(collector, file);
    case "any":
    case "all":
      return await finding(collector, state);
    case "fold":
      return await folding(collector);
    case "write":
      return writing(collector, name);
    case "gather": {
      const { push, relieve, finish } = await partitioner(collector.gather, file, collector.partitions);
      return { push, relieve, finish: () => ({ kind: "gathered", partitions: finish() }) };
    }
  }
}

function itemsOf(file: SpillFile, most: number, state: PartState): ItemCollector {
  const writer = new SegmentWriter(file);
  let left = most;
  if (left === 0) state.enough = true;
  return {
    push: (item) => {
      if (left-- > 0) writer.add(item);
      if (left <= 0) state.enough = true;
    },
    finish: () => {
      writer.flush();
      return { kind: "items", segments: writer.segments };
    },
  };
}

/** A part may hold twice as many as are wanted before it looks which ones are. */
function draw(
  { count, seed }: { readonly count: number; readonly seed: number },
  state: PartState,
  file: SpillFile,
): ItemCollector {
  let held: Drawn[] = [];
  let limit = Number.POSITIVE_INFINITY;
  const trim = () => {
    held = lowest(held, count);
    if (held.length === count) limit = held.at(-1)?.[0] ?? limit;
  };
  return {
    push: (item) => {
      const number = drawn(seed, state.file, state.offset(), state.drawnOfLine++);
      if (number >= limit) return;
      if (file.check) assertKept(item);
      if (held.push([number, item]) >= 2 * count + 16) trim();
    },
    finish: () => {
      trim();
      return { kind: "drawn", drawn: held };
    },
  };
}

/** The items with the lowest numbers, in the order of these. */
export function lowest(items: readonly Drawn[], count: number): Drawn[] {
  return items.toSorted(([a], [b]) => a - b).slice(0, count);
}

function summing(): ItemCollector {
  let total: Sum = NO_SUM;
  let { count, sum, lost } = NO_SUM;
  let big: bigint | null = null;
  return {
    push: (item) => {
      count++;
      if (typeof item === "number") {
        const next = sum + item;
        lost += Math.abs(sum) >= Math.abs(item) ? sum - next + item : item - next + sum;
        sum = next;
      } else if (typeof item === "bigint") big = (big ?? 0n) + item;
      else
        throw new PawlError(
          "bag.not-number",
          `An item is ${quoted(item)}, and only numbers have a sum: filter the others out before.`,
        );
    },
    finish: () => {
      total = { count, sum, lost, big };
      return { kind: "sum", sum: total };
    },
  };
}

export const NO_SUM: Sum = { count: 0, sum: 0, lost: 0, big: null };

export function added(a: Sum, b: Sum): Sum {
  const sum = a.sum + b.sum;
  const lost = Math.abs(a.sum) >= Math.abs(b.sum) ? a.sum - sum + b.sum : b.sum - sum + a.sum;
  return {
    count: a.count + b.count,
    sum,
    lost: a.lost + b.lost + lost,
    big: a.big === null ? b.big : b.big === null ? a.big : a.big + b.big,
  };
}

/** The sum as a number, or a bigint where all items are. Throws for items of both kinds. */
export function sumOf({ count, sum, lost, big }: Sum): number | bigint | null {
  if (count === 0) return null;
  if (big === null) return Number.isFinite(sum) ? sum + lost : sum;
  if (sum !== 0 || lost !== 0)
    throw new PawlError(
      "bag.not-number",
      "Some items are bigints and some are numbers, which have no sum: map them to one of the two before.",
    );
  return big;
}

async function ranking(
  { count, by, least, method }: Extract<Collector, { kind: "top" }>,
  file: SpillFile,
): Promise<ItemCollector> {
  const key = await keyOf(by);
  let held: Ranked[] = [];
  let limit: Comparable | undefined;
  const trim = () => {
    held = foremost(held, count, least);
    if (held.length === count) limit = held.at(-1)?.[0];
  };
  return {
    push: (item) => {
      const rank = key(item);
      assertComparable(rank, method);
      if (limit !== undefined && compared(rank, limit, least) >= 0) return;
      if (file.check) assertKept(item);
      if (held.push([rank, item]) >= 2 * count + 16) trim();
    },
    finish: () => {
      trim();
      return { kind: "top", top: held };
    },
  };
}

/** The items that rank first, those that came earlier before those that are equal. */
export function foremost(items: readonly Ranked[], count: number, least: boolean): Ranked[] {
  return items.toSorted(([a], [b]) => compared(a, b, least)).slice(0, count);
}

function assertComparable(rank: unknown, method: string): asserts rank is Comparable {
  if (typeof rank === "number" || typeof rank === "string" || typeof rank === "bigint") return;
  throw new PawlError(
    "bag.not-comparable",
    `${method} compares numbers or texts, and one is ${quoted(rank)}: filter such items out before, or give by what they are compared.`,
  );
}

/** NaN is more than every number, as in the engines; numbers come before texts. */
function compared(a: Comparable, b: Comparable, least: boolean): number {
  const order = ascending(a, b);
  return least ? order : -order;
}

function ascending(a: Comparable, b: Comparable): number {
  const texts = Number(typeof a === "string") - Number(typeof b === "string");
  if (texts !== 0) return texts;
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

async function finding(
  { kind, fn }: { readonly kind: "any" | "all"; readonly fn: SentFunction | null },
  state: PartState,
): Promise<ItemCollector> {
  const test = fn === null ? Boolean : await receivedOne(fn);
  const wanted = kind === "any";
  let found = false;
  return {
    push: (item) => {
      if (found || Boolean(test(item)) !== wanted) return;
      found = true;
      state.enough = true;
    },
    finish: () => ({ kind: "found", found }),
  };
}

async function folding({
  fn,
  initial,
}: {
  readonly fn: SentFunction;
  readonly initial: unknown;
}): Promise<ItemCollector> {
  const call = await received(fn);
  let value = initial;
  let empty = true;
  return {
    push: (item) => {
      empty = false;
      value = call(value, item);
      if (isThenable(value))
        throw new PawlError(
          "bag.promise",
          `The function of ${fn.method} returned a promise: await in a function of mapPartitions before.`,
        );
    },
    finish: () => {
      assertKept(value);
      return { kind: "folded", value, empty };
    },
  };
}

/** Characters that are written together. */
const WRITE_CHARACTERS = 512 * 1024;

function writing(
  { format, compression, folder }: Extract<Collector, { kind: "write" }>,
  name: string,
): ItemCollector {
  const file = `${folder}/${name}`;
  const handle = openSync(file, "wx", 0o666);
  let text = "";
  let items = 0;
  let bytes = 0;
  const flush = () => {
    const plain = Buffer.from(text);
    // Members of gzip and frames of Zstandard one behind the other are one file.
    const stored =
      compression === "gzip" ? gzipSync(plain) : compression === "zstd" ? zstdCompressSync(plain) : plain;
    writeAll(handle, stored);
    bytes += stored.length;
    text = "";
  };
  const lineOf = format === "jsonl" ? jsonOf : plainLine;
  return {
    push: (item) => {
      text += `${lineOf(item)}\n`;
      items++;
      if (text.length >= WRITE_CHARACTERS) flush();
    },
    finish: () => {
      if (text !== "") flush();
      fsyncSync(handle);
      closeSync(handle);
      return { kind: "written", file, items, bytes };
    },
  };
}

function plainLine(item: unknown): string {
  if (typeof item !== "string")
    throw new PawlError(
      "bag.not-text",
      `writeLines writes texts, and an item is ${shown(item)}: map it to a text, or use writeJsonl.`,
    );
  if (/[\n\r]/.test(item))
    throw new PawlError(
      "bag.line-break",
      `An item holds a line break, and writeLines would make two lines of it (${quoted(item)}): use writeJsonl.`,
    );
  if (!item.isWellFormed())
    throw new PawlError(
      "bag.not-text",
      `An item holds half a character, which UTF-8 cannot write (${quoted(item)}).`,
    );
  return item;
}

function jsonOf(item: unknown): string {
  try {
    const text = JSON.stringify(item);
    if (text !== undefined) return text;
  } catch (error) {
    const text = withBigints(item);
    if (text !== null) return text;
    throw new PawlError(
      "bag.not-json",
      `An item cannot be written as JSON (${errorReason(error)}): make plain data of it.`,
      { cause: error },
    );
  }
  throw new PawlError(
    "bag.not-json",
    `An item is ${shown(item)}, which JSON has no text for: make null or plain data of it.`,
  );
}

/** A bigint as the number that it is; null where that is not what is wrong. */
function withBigints(item: unknown): string | null {
  try {
    return (
      JSON.stringify(item, (_, value: unknown) =>
        typeof value === "bigint" ? rawJson(String(value)) : value,
      ) ?? null
    );
  } catch {
    return null;
  }
}

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
