import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Chunk, ChunkSize, Cursor, Ordering, Shard } from "../../../src/batch/contract.ts";
import { type CsvRow, type CsvSource, isCsvChunk } from "../../../src/connect/csv/index.ts";
import { ItemError } from "../../../src/errors.ts";

export const signal = new AbortController().signal;
export const ANY: Ordering = { kind: "any" };

/** A folder for the files of one test. */
export class Folder implements AsyncDisposable {
  readonly path: string;
  #files = 0;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), "pawl-csv-")));
  }

  async file(content: string | Uint8Array, name = `f${this.#files++}.csv`): Promise<string> {
    const path = join(this.path, name);
    await writeFile(path, content);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export function planOptions(scratch: string, memory = 64 * 1024 * 1024) {
  return { signal, scratch, folder: scratch, memory };
}

/** Everything a chunk says about its items, read in every way it offers. */
export interface Seen {
  readonly rows: readonly (CsvRow | string)[];
  readonly records: readonly string[];
  /** Null where the chunk has rows only. */
  readonly text: string | null;
  readonly raws: readonly string[];
  readonly ats: readonly string[];
  readonly end: Cursor;
}

async function allOf(chunk: Chunk<CsvRow>): Promise<Seen> {
  const rows: (CsvRow | string)[] = [];
  for await (const slice of chunk.slices())
    rows.push(...slice.map((row) => (row instanceof ItemError ? row.message : row)));
  const records: string[] | null = isCsvChunk(chunk) ? [] : null;
  const pieces: Buffer[] = [];
  if (isCsvChunk(chunk)) {
    for await (const some of chunk.csv.records()) records?.push(...some.map(String));
    for await (const piece of chunk.csv.bytes()) pieces.push(piece);
  }
  const raws: string[] = [];
  const ats: string[] = [];
  for (let index = 0; index < chunk.items; index++) {
    const { raw, at } = await chunk.origin(index);
    raws.push(Buffer.from(raw).toString());
    ats.push(at);
  }
  return {
    rows,
    records: records ?? raws,
    text: records === null ? null : Buffer.concat(pieces).toString(),
    raws,
    ats,
    end: chunk.end,
  };
}

export async function readAll(
  source: CsvSource,
  shards: readonly Shard[],
  size: ChunkSize,
  cursor: Cursor | null = null,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const shard of shards)
    for await (const chunk of source.read(shard, cursor, size, signal)) {
      const one = await allOf(chunk);
      if (one.records.length !== chunk.items || one.rows.length !== chunk.items)
        throw new Error(`a chunk of ${chunk.items} items gave ${one.records.length} and ${one.rows.length}`);
      seen.push(one);
    }
  return seen;
}

/** The shards of a source whose rows may come in any order. */
export async function shardsOf(source: CsvSource, folder: Folder, n = 1): Promise<readonly Shard[]> {
  return (await source.shards(n, ANY, planOptions(folder.path))).shards;
}

/** All rows of a source, by way of one shard. */
export async function rowsOf(source: CsvSource, folder: Folder): Promise<(CsvRow | string)[]> {
  const shards = await shardsOf(source, folder);
  return (await readAll(source, shards, { items: 1000, bytes: 1 << 20 })).flatMap(({ rows }) => rows);
}
