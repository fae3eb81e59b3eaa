import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PawlError } from "../../errors.ts";
import { ownProcessMark, processOf } from "../../process-mark.ts";

/** Beside a target, what is written and not yet published: `.NAME.pawl-PROCESS-ID`. */
function stagingName(target: string): string {
  return `${leftoverPrefix(target)}${ownProcessMark}-${randomUUID().slice(0, 8)}`;
}

function leftoverPrefix(target: string): string {
  return `.${basename(target)}.pawl-`;
}

/** A place beside a target for what will be published there. What killed processes left is removed first. */
export async function stagingBeside(target: string): Promise<string> {
  const path = resolve(target);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const prefix = leftoverPrefix(path);
  for (const name of await readdir(folder))
    if (name.startsWith(prefix) && processOf(name.slice(prefix.length, -9)) === "dead")
      await rm(join(folder, name), { recursive: true, force: true });
  return join(folder, stagingName(path));
}

/** Writes a file whole: under another name first, which becomes its own once all is on the disk. */
export async function publishFile(
  target: string,
  fill: (write: (bytes: string | Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const staging = await stagingBeside(target);
  const handle = await open(staging, "wx", 0o666);
  try {
    try {
      await fill(async (bytes) => await writeWhole(handle, bytes));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staging, resolve(target));
  } catch (error) {
    await rm(staging, { force: true });
    throw error;
  }
  await syncFolder(dirname(resolve(target)));
}

/** Makes a folder of files whole: the target must not hold anything yet. */
export async function publishFolder(staging: string, target: string): Promise<void> {
  const path = resolve(target);
  // An empty folder makes way; one that is not empty refuses.
  await rmdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw occupied(target);
  });
  await rename(staging, path);
  await syncFolder(dirname(path));
}

/** Throws where a folder cannot become the target's, before anything is computed. */
export async function assertFree(target: string): Promise<void> {
  const names = await readdir(resolve(target)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw occupied(target);
  });
  if (names.length > 0) throw occupied(target);
}

function occupied(target: string): PawlError {
  return new PawlError(
    "bag.target",
    `${target} exists and is not an empty folder: remove it, or write to another one.`,
  );
}

async function writeWhole(handle: FileHandle, bytes: string | Uint8Array): Promise<void> {
  const buffer = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  for (let written = 0; written < buffer.length; )
    written += (await handle.write(buffer, written)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders.
  const handle = await open(path, "r").catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
