import type { KeyColumn, Ordering, PlanOptions, Shard, ShardPlan } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { KeyProof } from "../keys/duplicate-keys.ts";
import { type Layout, withKinds } from "../layout.ts";
import { FileBody, storedBytes } from "../rows/chunk-bytes.ts";
import { explainQuotes, isQuoteTrouble } from "../scan/quote-errors.ts";
import { cutParts } from "./cut-parts.ts";
import { type ScanOptions, scanFile } from "./index-file.ts";
import type { Inspection } from "./inspect.ts";
import { GRANULE_WIDTH, type Part, packShard, type RangePart } from "./shard-data.ts";

const SMALLEST_GRANULE = 64 * 1024;
/** A little less than 1 MiB, so that a chunk of 2, 4 or 8 MiB is filled by whole granules. */
const LARGEST_GRANULE = 960 * 1024;
/** Keeps the table of a file of any size well below 200 KB of JSON. */
const MOST_GRANULES = 6000;
/** Shards are cut between granules, so each should have several. */
const GRANULES_A_SHARD = 8;

/** Scans what can be scanned and cuts shards. Errors: those of `scanFile` and `RepeatCounter`, `csv.no-key-column`. */
export async function plan(
  { layout: inspected, parts }: Inspection,
  n: number,
  ordering: Ordering,
  options: PlanOptions,
  granuleBytes: number | null,
): Promise<ShardPlan> {
  const layout = withKinds(inspected, options.kinds ?? []);
  const total = parts.reduce((sum, part) => sum + (part.kind === "range" ? part.size : 0), 0);
  const scanned: Part[] = [];
  const fitting = Math.min(LARGEST_GRANULE, Math.max(SMALLEST_GRANULE, total / (n * GRANULES_A_SHARD)));
  const size = granuleBytes ?? Math.ceil(Math.max(fitting, total / MOST_GRANULES));
  let done = 0;
  const onProgress = (bytes: number) => {
    done += bytes;
    options.onProgress?.(done, total);
  };
  const key = ordering.kind === "byKey" ? ordering.key : null;
  if (key) checkKey(key, layout);
  const provable = key !== null && key.length > 0 && parts.every((part) => part.kind === "range");
  await using proof = provable ? new KeyProof(key, layout, options.scratch, options.memory) : null;
  const { signal } = options;
  for (const [file, part] of parts.entries()) {
    const seen = proof && {
      onRecords: (buffer: Buffer, scanner: Parameters<KeyProof["take"]>[1], base: number) =>
        proof.take(buffer, scanner, file, base),
      between: () => proof.relieve(),
    };
    const scan = { signal, granuleBytes: size, onProgress, ...seen };
    if (part.kind === "range") proof?.begin(part);
    scanned.push(part.kind === "range" ? await scannedFile(part, layout, scan) : part);
  }
  const duplicates = proof ? await countRepeats(proof, scanned as RangePart[], layout, signal) : null;
  const single = ordering.kind === "total" || (key !== null && duplicates !== 0);
  const shards = cutParts(scanned, single ? 1 : n).map((cut) => shardOf(layout, cut));
  return { shards, duplicates, notes: notesOn(key, duplicates) };
}

/** A wrong quote is explained from the whole file, which the scan up to it cannot know. */
async function scannedFile(part: RangePart, layout: Layout, scan: ScanOptions): Promise<RangePart> {
  try {
    return await scanFile(part, layout, scan);
  } catch (error) {
    if (!isQuoteTrouble(error)) throw error;
    throw await explainQuotes(
      new FileBody(part, part.offset, part.size).pieces(true),
      layout,
      part,
      scan.signal,
    );
  }
}

async function countRepeats(
  proof: KeyProof,
  parts: readonly RangePart[],
  layout: Layout,
  signal: AbortSignal,
): Promise<number> {
  const { missed } = proof;
  for (const [file, part] of parts.entries()) {
    if (!missed || file > missed.file) break;
    const end = file === missed.file ? missed.offset : part.size;
    if (end === part.offset) continue;
    proof.begin(part);
    const onRecords = (buffer: Buffer, scanner: Parameters<KeyProof["take"]>[1]) =>
      proof.takeMissed(buffer, scanner);
    const between = () => proof.relieve();
    await scanFile(part, layout, { signal, granuleBytes: LARGEST_GRANULE, end, onRecords, between });
  }
  return proof.repeats(signal);
}

function checkKey(key: readonly KeyColumn[], layout: Layout): void {
  const absent = key.find(({ name }) => !layout.columns.includes(name));
  if (!absent) return;
  throw new PawlError(
    "csv.no-key-column",
    `The key column ${JSON.stringify(absent.name)} is not in the header (${layout.columns.join(", ")}): give --key, or --map a column to it.`,
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

function shardOf(layout: Layout, parts: readonly Part[]): Shard {
  let items: number | null = 0;
  let bytes: number | null = 0;
  for (const part of parts) {
    if (part.kind === "stream") {
      items = null;
      bytes = part.pipe || bytes === null ? null : bytes + storedBytes(part);
      continue;
    }
    for (let at = 0; at < part.granules.length; at += GRANULE_WIDTH) {
      if (bytes !== null) bytes += part.granules[at] as number;
      if (items !== null) items += part.granules[at + 1] as number;
    }
  }
  return { data: packShard({ layout, parts }), items, bytes };
}
