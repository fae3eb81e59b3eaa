import type { KeyColumn, Ordering, PlanOptions, Shard, ShardPlan } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { DuplicateKeyCheck } from "../keys/duplicate-key-check.ts";
import { storedBytes } from "../open/planned-file.ts";
import { type RecordLayout, withKinds } from "../record-layout.ts";
import { type IndexOptions, indexFile } from "./index-file.ts";
import type { Inspection } from "./inspect-files.ts";
import { type FilePart, INDEX_BLOCK_NUMBERS, indexBlocks, packShard, type RangePart } from "./shard-data.ts";

const SMALLEST_BLOCK = 64 * 1024;
/** A little less than 1 MiB, so that a chunk of 2, 4 or 8 MiB is filled by whole blocks. */
const LARGEST_BLOCK = 960 * 1024;
/** Keeps the table of a file of any size well below 200 KB of JSON. */
const MOST_BLOCKS = 6000;
/** Shards are cut between blocks, so each should have several. */
const BLOCKS_A_SHARD = 8;

/**
 * Indexes the files that can be read from any record on, finds out whether keys repeat, and cuts shards: only
 * where a record begins, which `indexFile` finds.
 * Errors: those of `indexFile` and `DuplicateKeyCheck`, `csv.no-key-column`.
 */
export async function planShards(
  { layout: inspected, parts }: Inspection,
  n: number,
  ordering: Ordering,
  options: PlanOptions,
  indexBlockBytes: number | null,
): Promise<ShardPlan> {
  const { signal } = options;
  const layout = withKinds(inspected, options.kinds ?? []);
  const key = ordering.kind === "byKey" ? ordering.key : null;
  if (key) checkKey(key, layout);
  const total = parts.reduce((sum, part) => sum + (part.kind === "range" ? part.size : 0), 0);
  const fitting = Math.min(LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, total / (n * BLOCKS_A_SHARD)));
  const size = indexBlockBytes ?? Math.ceil(Math.max(fitting, total / MOST_BLOCKS));
  let done = 0;
  const onProgress = (bytes: number) => {
    done += bytes;
    options.onProgress?.(done, total);
  };
  const checkable = key !== null && key.length > 0 && parts.every((part) => part.kind === "range");
  await using check = checkable ? new DuplicateKeyCheck(key, layout, options.scratch, options.memory) : null;
  const indexed: FilePart[] = [];
  for (const [file, part] of parts.entries()) {
    if (part.kind === "stream") {
      indexed.push(part);
      continue;
    }
    check?.begin(part);
    const keys: Partial<IndexOptions> =
      check === null
        ? {}
        : {
            onRecords: (buffer, scanner, base) => check.add(buffer, scanner, file, base),
            between: () => check.spill(),
          };
    indexed.push(await indexFile(part, layout, { signal, indexBlockBytes: size, onProgress, ...keys }));
  }
  const duplicates = check ? await countDuplicates(check, indexed as RangePart[], layout, signal) : null;
  const single = ordering.kind === "total" || (key !== null && duplicates !== 0);
  const shards = cutParts(indexed, single ? 1 : n).map((cut) => shardOf(layout, cut));
  return { shards, duplicates, notes: notesOn(key, duplicates) };
}

async function countDuplicates(
  check: DuplicateKeyCheck,
  parts: readonly RangePart[],
  layout: RecordLayout,
  signal: AbortSignal,
): Promise<number> {
  const { missed } = check;
  for (const [file, part] of parts.entries()) {
    if (!missed || file > missed.file) break;
    const end = file === missed.file ? missed.offset : part.size;
    if (end === part.offset) continue;
    check.begin(part);
    await indexFile(part, layout, {
      signal,
      indexBlockBytes: LARGEST_BLOCK,
      end,
      onRecords: (buffer, scanner) => check.addMissed(buffer, scanner),
      between: () => check.spill(),
    });
  }
  return check.count(signal);
}

function checkKey(key: readonly KeyColumn[], layout: RecordLayout): void {
  const absent = key.find(({ name }) => !layout.columns.includes(name));
  if (!absent) return;
  throw new PawlError(
    "csv.no-key-column",
    `The key column ${JSON.stringify(absent.name)} is not in the header (${layout.columns.join(", ")}): give \`key\`, or a column to it with \`map\`.`,
  );
}

function notesOn(key: readonly KeyColumn[] | null, duplicates: number | null): string[] {
  if (key === null || duplicates === 0) return [];
  if (duplicates === null)
    return [
      "Whether keys repeat cannot be known before reading, so the rows are loaded in order by one shard.",
    ];
  const [rows, wins] = duplicates === 1 ? ["1 row repeats", "it"] : [`${duplicates} rows repeat`, "the last"];
  return [
    `${rows} a key that stands earlier in the input: ${wins} wins, and one shard loads all rows in order.`,
  ];
}

function shardOf(layout: RecordLayout, parts: readonly FilePart[]): Shard {
  let items: number | null = 0;
  let bytes: number | null = 0;
  for (const part of parts) {
    if (part.kind === "stream") {
      items = null;
      bytes = part.pipe || bytes === null ? null : bytes + storedBytes(part);
      continue;
    }
    for (let at = 0; at < part.blocks.length; at += INDEX_BLOCK_NUMBERS) {
      if (bytes !== null) bytes += part.blocks[at] as number;
      if (items !== null) items += part.blocks[at + 1] as number;
    }
  }
  return { data: packShard({ layout, parts }), items, bytes };
}

/** What cannot be cut any more: one block of a file, or a whole stream. */
interface Piece {
  readonly part: FilePart;
  readonly bytes: number;
}

/** Deals the parts, in order, to at most `n` lists of about equal bytes; there is always at least one list. */
function cutParts(parts: readonly FilePart[], n: number): FilePart[][] {
  const pieces = parts.flatMap(piecesOf);
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  const lists: FilePart[][] = [[]];
  let done = 0;
  for (const { part, bytes } of pieces) {
    // A piece belongs to the shard in whose share its middle falls.
    const share = total === 0 ? 0 : Math.floor(((done + bytes / 2) / total) * n);
    const list = lists.at(-1) as FilePart[];
    if (list.length > 0 && share >= lists.length) lists.push([part]);
    else append(list, part);
    done += bytes;
  }
  return lists;
}

function piecesOf(part: FilePart): Piece[] {
  if (part.kind === "stream") return [{ part, bytes: Math.max(storedBytes(part), 1) }];
  return indexBlocks(part).map(({ start, end, line }, index) => ({
    part: {
      ...part,
      offset: start,
      line,
      blocks: part.blocks.slice(index * INDEX_BLOCK_NUMBERS, (index + 1) * INDEX_BLOCK_NUMBERS),
    },
    bytes: end - start,
  }));
}

/** Blocks that follow one another in a file become one part again. */
function append(list: FilePart[], part: FilePart): void {
  const last = list.at(-1);
  if (last?.kind === "range" && part.kind === "range" && last.path === part.path)
    (last.blocks as number[]).push(...(part as RangePart).blocks);
  else list.push(part);
}
