import type { Json } from "../../../store/contract.ts";
import { type Layout, type Newline, packLayout, unpackLayout } from "../layout.ts";
import type { FileVersion } from "../rows/chunk-bytes.ts";

/** What both kinds of part share. */
interface PartOf extends FileVersion {
  readonly newline: Newline;
  /** Where the first record begins, and on which line. */
  readonly offset: number;
  readonly line: number;
  /** Which field of the file each of the layout's fields is; null where they stand in the same order. */
  readonly order: readonly number[] | null;
}

/** Consecutive granules of a plain UTF-8 file. `offset` counts bytes of the file. */
export interface RangePart extends PartOf {
  readonly kind: "range";
  /** Bytes of a BOM at the file's beginning, which `offset` counts. */
  readonly bom: number;
  /**
   * Four numbers a granule: bytes, records, lines beyond one a record, and the features of `RecordScanner`. Small
   * numbers, because the table of a large file is stored with its shards.
   */
  readonly granules: readonly number[];
}

/** A whole file that can only be read from its beginning. `offset` counts bytes of its text as UTF-8. */
export interface StreamPart extends PartOf {
  readonly kind: "stream";
  readonly encoding: string;
}

export type Part = RangePart | StreamPart;

/** Consecutive records within a part. */
export interface Granule {
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly records: number;
  readonly lines: number;
  readonly features: number;
}

/** Numbers a granule takes in the table. */
export const GRANULE_WIDTH = 4;

/** The granules of a part with their places worked out. */
export function granulesOf(part: RangePart): Granule[] {
  const granules: Granule[] = [];
  let start = part.offset;
  let line = part.line;
  for (let at = 0; at < part.granules.length; at += GRANULE_WIDTH) {
    const [bytes, records, extra, features] = part.granules.slice(at, at + GRANULE_WIDTH) as [
      number,
      number,
      number,
      number,
    ];
    granules.push({ start, end: start + bytes, line, records, lines: records + extra, features });
    start += bytes;
    line += records + extra;
  }
  return granules;
}

export interface ShardData {
  readonly layout: Layout;
  readonly parts: readonly Part[];
}

export function packShard(data: ShardData): Json {
  return { layout: packLayout(data.layout), parts: data.parts as unknown as Json };
}

/** The inverse of `packShard`; what a shard's data holds was written by it. */
export function unpackShard(packed: Json): ShardData {
  const { layout, parts } = packed as unknown as { layout: Json; parts: Part[] };
  return { layout: unpackLayout(layout), parts };
}

/** A place between two records of a shard. */
export interface Place {
  /** Which of the shard's parts. */
  readonly part: number;
  /** Offset as in the part. */
  readonly at: number;
  readonly line: number;
  /** For streams: source bytes, as stored, that count as read. */
  readonly stored?: number;
  /** For standard input: CRC-32 of all text before this place. */
  readonly crc?: number;
}
