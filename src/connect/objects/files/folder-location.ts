import type { BigIntStats } from "node:fs";
import { realpath, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TransientError } from "../../../errors.ts";

/** What tells a folder from others, whatever paths lead to it. */
export interface FolderLocation {
  /** Without links. */
  readonly path: string;
  /** Null where there is none. */
  readonly folder: FolderIdentity | null;
}

interface FolderIdentity {
  /** Of its file system; another one after some restarts of the machine. */
  readonly device: string;
  /** Null where the file system gives numbers that hold only as long as it is mounted; then its type says which it is. */
  readonly inode: string | null;
  /** When it was made, in nanoseconds since 1970; null where the file system does not tell. */
  readonly made: string | null;
  readonly type: string;
}

/** File systems that number their files in another way after each mount, by the numbers of Linux: FUSE, 9p, the shared folders of VirtualBox. */
const UNSTABLE_NUMBERS = new Set([0x65735546n, 0x01021997n, 0x786f4256n]);

export async function folderLocation(path: string): Promise<FolderLocation> {
  const real = await realPathOf(path);
  const found = await stat(real, { bigint: true }).catch(() => null);
  if (found === null || !found.isDirectory()) return { path: real, folder: null };
  const { type } = await statfs(real, { bigint: true });
  const holds = process.platform !== "linux" || !UNSTABLE_NUMBERS.has(type);
  return {
    path: real,
    folder: {
      device: String(found.dev),
      inode: holds ? String(found.ino) : null,
      made: holds ? madeAt(found) : null,
      type: String(type),
    },
  };
}

/** Some systems tell of the last change where they do not know it. */
function madeAt({ birthtimeNs, ctimeNs }: BigIntStats): string | null {
  const isKnown = birthtimeNs > 0n && (process.platform === "linux" || birthtimeNs !== ctimeNs);
  return isKnown ? String(birthtimeNs) : null;
}

/** Throws a TransientError where a folder that this process uses has become another one, as when its disk is gone. */
export async function assertSameFolder(path: string, before: FolderLocation): Promise<void> {
  const difference = folderDifference(path, before, await folderLocation(path));
  if (difference !== null)
    throw new TransientError("copy.other-folder", `${difference}, while this run uses it`);
}

/** What differs, in half a sentence; null where it is one folder. */
export function folderDifference(name: string, before: FolderLocation, now: FolderLocation): string | null {
  const [was, is] = [before.folder, now.folder];
  if (is === null) return `There is no folder ${name} any more`;
  const isSame = was !== null && areSame(was, is) && (before.path === now.path || was.device === is.device);
  if (isSame) return null;
  return before.path === now.path
    ? `${name} is another folder than it was (made again, or on another disk)`
    : `${name} leads to ${now.path} now, and led to ${before.path}`;
}

function areSame(was: FolderIdentity, is: FolderIdentity): boolean {
  if (was.inode === null || is.inode === null) return was.inode === is.inode && was.type === is.type;
  return was.inode === is.inode && (was.made === null || is.made === null || was.made === is.made);
}

/** Where a path leads to, however much of it is there. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}
