import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsync,
  futimesSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { TransientError } from "../../../errors.ts";
import type { Disk } from "./disk.ts";

const flush = promisify(fsync);

/** A part is made by whoever writes it, and is no link. */
export const NEW_FILE =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/**
 * Writes a small file under the name `part`, flushes it, and renames it to `path`. All but the flush is done on this thread.
 * Resolves with what stands there then; null where that is not what was written any more.
 */
export async function writeWhole(
  {
    part,
    path,
    modified,
    assertIn,
  }: {
    readonly part: string;
    readonly path: string;
    readonly modified: number | null;
    /** Throws where an open file does not lie where it should. */
    readonly assertIn: (file: number) => void;
  },
  bytes: Buffer,
  disk: Disk,
): Promise<BigIntStats | null> {
  let file: number | null = null;
  try {
    const opened = disk.ask(() => {
      const opened = openSync(part, NEW_FILE, 0o666);
      file = opened;
      assertIn(opened);
      for (let at = 0; at < bytes.length; ) at += writeSync(opened, bytes, at);
      if (modified !== null) futimesSync(opened, new Date(), new Date(modified));
      return opened;
    });
    // Only this waits for the disk: several do so at once.
    await flush(opened);
    return disk.ask(() => {
      const written = fstatSync(opened, { bigint: true });
      if (Number(written.size) !== bytes.length)
        throw new TransientError("copy.size", `${path} has ${written.size} bytes instead of ${bytes.length}`);
      file = null;
      closeSync(opened);
      renameSync(part, path);
      const stands = statSync(path, { bigint: true, throwIfNoEntry: false });
      const isOurs = stands?.ino === written.ino && stands.mtimeNs === written.mtimeNs;
      return stands !== undefined && isOurs ? stands : null;
    });
  } catch (error) {
    if (file !== null) closeSync(file);
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") rmSync(part, { force: true });
    throw error;
  }
}
