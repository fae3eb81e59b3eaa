import { type FileHandle, glob, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PawlError } from "../../errors.ts";
import { nearNames } from "../../near-names.ts";
import { isUrl } from "../../url-scheme.ts";
import type { BagFile, LineFormat, PartInput } from "./part.ts";
import { compressionOf } from "./unpack.ts";

/** The files that paths and globs name, each once: in the order given, those of a glob sorted by name. */
export async function findFiles(paths: readonly string[]): Promise<BagFile[]> {
  const found = new Map<string, BagFile>();
  for (const path of paths)
    for (const name of await expand(path)) {
      const absolute = resolve(name);
      if (!found.has(absolute)) found.set(absolute, await inspect(absolute, name, found.size));
    }
  return [...found.values()];
}

async function expand(path: string): Promise<string[]> {
  if (isUrl(path))
    throw new PawlError(
      "bag.address",
      "A bag reads files of this machine: copy the objects here first, with pawl copy.",
    );
  if (!/[*?[\]{}]/.test(path) || (await exists(path))) return [path];
  const matches: string[] = [];
  for await (const match of glob(path)) if ((await stat(match)).isFile()) matches.push(match);
  if (matches.length > 0) return matches.sort();
  throw new PawlError("bag.no-match", `No file matches ${path}: check the pattern.`);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Bytes that tell how a file is packed and encoded. */
const HEAD = 4;

async function inspect(path: string, name: string, index: number): Promise<BagFile> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    throw await unreadable(error, path, name);
  }
  try {
    const stats = await handle.stat();
    if (stats.isDirectory())
      throw new PawlError(
        "bag.directory",
        `${name} is a directory: name its files, such as '${join(name, "*.jsonl")}'.`,
      );
    if (!stats.isFile())
      throw new PawlError("bag.not-a-file", `${name} is not a file: write what it gives into one first.`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    const head = buffer.subarray(0, bytesRead);
    if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff))
      throw new PawlError(
        "bag.encoding",
        `${name} is UTF-16, and lines are read as UTF-8: convert it first, such as with iconv -f UTF-16 -t UTF-8.`,
      );
    const mark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
    const { size, mtimeMs, ino } = stats;
    return { path, name, index, size, mtimeMs, inode: ino, compression: compressionOf(head), mark };
  } finally {
    await handle.close();
  }
}

async function unreadable(error: unknown, path: string, name: string): Promise<unknown> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") {
    const names = await readdir(dirname(path)).catch(() => [] as string[]);
    const [near] = nearNames(basename(path), names, 1);
    const advice = near === undefined ? ": check the path" : `; is it ${join(dirname(name), near)}?`;
    return new PawlError(
      "bag.missing",
      `${name} does not exist${near === undefined ? `${advice}.` : advice}`,
      { cause: error },
    );
  }
  if (code === "EACCES" || code === "EPERM")
    return new PawlError("bag.permission", `${name} may not be read by this user: change its permissions.`, {
      cause: error,
    });
  return error;
}

/** Ranges of files, cut anywhere. A packed file is one range, since only its beginning is where it can be unpacked from. */
export function* rangesOf(
  files: readonly BagFile[],
  format: LineFormat,
  bytes: number,
): Generator<Extract<PartInput, { kind: "range" }>> {
  for (const file of files) {
    const step = file.compression === null ? bytes : Math.max(1, file.size);
    for (let start = 0; start === 0 || start < file.size; start += step)
      yield { kind: "range", file, start, end: Math.min(file.size, start + step), format };
  }
}

/** How many line ends are before an offset: for the number of a line that an error names. */
export async function linesBefore(path: string, offset: number): Promise<number> {
  const handle = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    let lines = 0;
    for (let at = 0; at < offset; ) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, offset - at), at);
      if (bytesRead === 0) break;
      for (
        let found = buffer.indexOf(10);
        found >= 0 && found < bytesRead;
        found = buffer.indexOf(10, found + 1)
      )
        lines++;
      at += bytesRead;
    }
    return lines;
  } finally {
    await handle.close();
  }
}
