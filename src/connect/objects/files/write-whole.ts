import { closeSync, fstatSync, fsync, futimesSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { TransientError } from "../../../errors.ts";
import type { Disk } from "./disk.ts";

const flush = promisify(fsync);

/** Writes a small file under the name `part`, flushes it, and renames it to `path`. All but the flush is done on this thread. */
export async function writeWhole(
  {
    part,
    path,
    modified,
  }: { readonly part: string; readonly path: string; readonly modified: number | null },
  bytes: Buffer,
  disk: Disk,
): Promise<void> {
  let file: number | null = null;
  try {
    const opened = disk.ask(() => {
      const opened = openSync(part, "w");
      file = opened;
      for (let at = 0; at < bytes.length; ) at += writeSync(opened, bytes, at);
      if (modified !== null) futimesSync(opened, new Date(), new Date(modified));
      return opened;
    });
    // Only this waits for the disk: several do so at once.
    await flush(opened);
    disk.ask(() => {
      const { size } = fstatSync(opened);
      if (size !== bytes.length)
        throw new TransientError("copy.size", `${path} has ${size} bytes instead of ${bytes.length}`);
      file = null;
      closeSync(opened);
      renameSync(part, path);
    });
  } catch (error) {
    if (file !== null) closeSync(file);
    rmSync(part, { force: true });
    throw error;
  }
}
