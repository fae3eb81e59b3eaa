import { hash } from "node:crypto";
import { type BigIntStats, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import type { ChecksumCache } from "./checksum-cache.ts";
import { type Disk, ONE_GO_BYTES, readInOneGo } from "./disk.ts";
import { explainFile } from "./file-error.ts";
import { isSameFile } from "./file-version.ts";

/** What computes checksums of files. */
export interface FileChecksums {
  readonly threads: ChecksumThreads;
  /** Those of files that have not changed since they were read; null reads each file. */
  readonly cache: ChecksumCache | null;
}

interface FileRead {
  readonly size: number | null;
  /** Null for the MD5 of the whole. */
  readonly partBytes: number | null;
}

/** The MD5 of a file, or the ETag of its parts of so many bytes: from the cache, or computed now. */
export async function etagOfFile(
  path: string,
  asked: FileRead,
  { disk, threads, cache }: FileChecksums & { readonly disk: Disk },
): Promise<string> {
  try {
    if (cache === null) return await computed(path, asked, threads, disk);
    const before = await statOf(path, disk);
    const remembered = cache.find(before, asked.partBytes);
    if (remembered !== null) return remembered;
    const etag = await computed(path, asked, threads, disk);
    if (isSameFile(before, await statOf(path, disk))) cache.keep(before, asked.partBytes, etag);
    return etag;
  } catch (error) {
    throw explainFile(error, path, "read");
  }
}

/** Each small file is read into it, hashed, and forgotten, all in one go: no caller sees the bytes of another file. */
const scratch = Buffer.allocUnsafeSlow(ONE_GO_BYTES);

/** Right here of a small file, on another thread of a large one. */
async function computed(
  path: string,
  { size, partBytes }: FileRead,
  checksums: ChecksumThreads,
  disk: Disk,
): Promise<string> {
  if (size !== null && size <= ONE_GO_BYTES && partBytes === null && disk.isPrompt) {
    const whole = disk.ask(() => readInOneGo(path, ONE_GO_BYTES, scratch));
    if (whole !== null) return hash("md5", whole.bytes);
  }
  return await checksums.etagOfFile(path, partBytes);
}

async function statOf(path: string, disk: Disk): Promise<BigIntStats> {
  if (disk.isPrompt) return disk.ask(() => statSync(path, { bigint: true }));
  return await stat(path, { bigint: true });
}
