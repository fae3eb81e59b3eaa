import type { Json } from "../../../store/contract.ts";
import type { PlannedFile } from "../open/planned-file.ts";
import { type Newline, packLayout, type RecordLayout, unpackLayout } from "../record-layout.ts";

/** What both kinds of part share. */
interface PartOf extends PlannedFile {
  readonly newline: Newline;
  /** Where the first record begins, and on which line. */
  readonly offset: number;
  readonly line: number;
  /** Which field of the file each of the layout's fields is; null where they stand in the same order. */
  readonly order: readonly number[] | null;
}

/** Consecutive index blocks of a plain UTF-8 file. `offset` counts bytes of the file. */
export interface RangePart extends PartOf {
  readonly kind: "range";
  /** Bytes of a BOM at the file's beginning, which `offset` counts. */
  readonly bom: number;
  /**
   * The index of its records, four numbers a block: bytes, records, lines beyond one a record, and the features of
   * `RecordScanner`. Small numbers, because the index of a large file is stored with its shards.
   */
  readonly blocks: readonly number[];
}

/** A whole file that can only be read from its beginning. `offset` counts bytes of its text as UTF-8. */
export interface StreamPart extends PartOf {
  readonly kind: "stream";
  readonly encoding: string;
}

export type FilePart = RangePart | StreamPart;

/** Consecutive records within a part, of which the index knows where they begin and how many they are. */
export interface IndexBlock {
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly records: number;
  readonly lines: number;
  readonly features: number;
}

/** Numbers that a block takes in the index. */
export const INDEX_BLOCK_NUMBERS = 4;

/** The blocks of a part with their positions. */
export function indexBlocks(part: RangePart): IndexBlock[] {
  const blocks: IndexBlock[] = [];
  let start = part.offset;
  let line = part.line;
  for (let at = 0; at < part.blocks.length; at += INDEX_BLOCK_NUMBERS) {
    const [bytes, records, extra, features] = part.blocks.slice(at, at + INDEX_BLOCK_NUMBERS) as [
      number,
      number,
      number,
      number,
    ];
    blocks.push({ start, end: start + bytes, line, records, lines: records + extra, features });
    start += bytes;
    line += records + extra;
  }
  return blocks;
}

export interface ShardData {
  readonly layout: RecordLayout;
  readonly parts: readonly FilePart[];
}

export function packShard(data: ShardData): Json {
  return { layout: packLayout(data.layout), parts: data.parts as unknown as Json };
}

/** The inverse of `packShard`; what a shard's data holds was written by it. */
export function unpackShard(packed: Json): ShardData {
  const { layout, parts } = packed as unknown as { layout: Json; parts: FilePart[] };
  return { layout: unpackLayout(layout), parts };
}

/** A position between two records of a shard: its cursor. */
export interface RecordPosition {
  /** Which of the shard's parts. */
  readonly part: number;
  /** Offset as in the part. */
  readonly at: number;
  readonly line: number;
  /** For streams: source bytes, as stored, that count as read. */
  readonly stored?: number;
  /** For standard input: CRC-32 of all text before this position. */
  readonly crc?: number;
}
