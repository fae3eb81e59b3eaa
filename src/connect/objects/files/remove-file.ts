import { hash } from "node:crypto";
import type { BigIntStats, PathLike } from "node:fs";
import { link, lstat, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ItemError, TransientError } from "../../../errors.ts";
import { versionOf } from "./file-version.ts";

/**
 * Removes a file, or a link to it, as long as the file has the version that was copied. A program that writes to its path while that is
 * found out writes another file, which stays: the one in question is first renamed to a name of its own. Throws a
 * TransientError where it has changed; it is there as before then. A path that is gone is not an error.
 */
export async function removeFile(path: string, version: string): Promise<void> {
  // The same for an attempt that follows a kill, which finds it by that.
  const aside = join(dirname(path), `.pawl-${hash("sha256", `${path}\0${version}`).slice(0, 32)}.aside`);
  const before = await found(path, lstat);
  if (before === null) {
    const left = await found(aside, stat);
    if (left !== null && isSameBytes(versionOf(left), version)) await unlink(aside);
    return;
  }
  const target = before.isSymbolicLink() ? await found(path, stat) : before;
  if (target === null || versionOf(target) !== version) throw changed(path);
  await rename(path, aside);
  const [after, afterTarget] = [await found(aside, lstat), await found(aside, stat)];
  const isOurs = after?.ino === before.ino && after.dev === before.dev;
  // To rename a file is a change of it, too, though not of its bytes.
  if (isOurs && afterTarget !== null && isSameBytes(versionOf(afterTarget), version)) await unlink(aside);
  else {
    await putBack(aside, path);
    throw changed(path);
  }
}

/** Whether two versions differ by nothing but the time of the last change of a name or a right. */
function isSameBytes(a: string, b: string): boolean {
  const bytes = (version: string) => version.slice(0, version.lastIndexOf(" "));
  return bytes(a) === bytes(b);
}

async function found(
  path: string,
  statOf: (path: PathLike, options: { bigint: true }) => Promise<BigIntStats>,
): Promise<BigIntStats | null> {
  return await statOf(path, { bigint: true }).catch((error) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}

/** Gives a file its name back, without taking it from another one. */
async function putBack(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || (await found(path, lstat)) !== null)
      throw new ItemError(`it was replaced twice while it was removed: what came first lies in ${aside}`, {
        code: "copy.changed",
      });
    // A file system without hard links.
    await rename(aside, path);
    return;
  }
  await unlink(aside);
}

function changed(path: string): TransientError {
  return new TransientError("copy.changed", `${path} was changed since it was copied, and stays where it is`);
}
