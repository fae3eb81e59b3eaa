import { open } from "node:fs/promises";
import pMap from "p-map";
import { compressionOf, Decompressor } from "../../connect/csv/internal.ts";
import type { StagedFile } from "./stage-files.ts";

const PIECE = 256 * 1024;
const FILES_AT_ONCE = 2;

/**
 * Makes sure that packed texts are whole before an engine reads them: DuckDB takes a gzip file that is cut off for one that ends there, so that rows
 * would be missing without an error. Each is unpacked once for that, and thrown away. Rejects with `csv.corrupt-archive` for what is damaged or cut
 * off.
 */
export async function assertWholeFiles(files: readonly StagedFile[], signal: AbortSignal): Promise<void> {
  await pMap(files, (file) => assertWhole(file, signal), { concurrency: FILES_AT_ONCE });
}

async function assertWhole({ path, name }: StagedFile, signal: AbortSignal): Promise<void> {
  await using file = await open(path);
  // What a pipe gives can be read only once.
  if (!(await file.stat()).isFile()) return;
  const head = Buffer.alloc(4);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const compression = compressionOf(head.subarray(0, bytesRead));
  if (compression === null) return;
  const packed = file.createReadStream({ start: 0, highWaterMark: PIECE, autoClose: false });
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of packed) yield piece as Buffer;
  };
  for await (const _ of new Decompressor(compression, { name, path, pipe: false }).bytes(pieces()))
    signal.throwIfAborted();
}
