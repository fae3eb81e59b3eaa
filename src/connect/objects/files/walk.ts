import { type BigIntStats, lstatSync } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import type { ObjectEntry, Page } from "../contract.ts";
import type { Disk } from "./disk.ts";
import type { KnownSums } from "./known-sums.ts";
import { modifiedAt } from "./modified-at.ts";
import { isPartName } from "./part-name.ts";
import { sortedNames } from "./sorted-names.ts";

interface Ways {
  readonly disk: Disk;
  /** Checksums from another time, to be told along. */
  readonly known: KnownSums | null;
}

const PAGE = 1000;
/** Files looked at in one go; they wait for the disk in a few threads anyway. */
const LOOKED_AT_ONCE = 32;

/**
 * The files below a folder in the order of their keys, from after the key `from` on. Links to files are followed; a link
 * to a folder, a broken one and what is no file are told of with their problem.
 */
export async function* walk(
  root: string,
  from: string | null,
  scratch: string,
  signal: AbortSignal,
  ways: Ways,
): AsyncGenerator<Page, void, undefined> {
  let waiting: string[] = [];
  const after = from === null ? null : Buffer.from(from, "base64").toString("latin1");
  for await (const key of below(root, "", after, scratch, signal)) {
    waiting.push(key);
    if (waiting.length < PAGE) continue;
    yield await pageOf(root, waiting, ways);
    waiting = [];
  }
  if (waiting.length > 0) yield await pageOf(root, waiting, ways);
  yield { entries: [], next: null };
}

/** Keys as strings of one character a byte, so that their order is that of bytes. */
async function* below(
  root: string,
  prefix: string,
  after: string | null,
  scratch: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const folder = prefix === "" ? root : pathOf(root, prefix);
  for await (const name of sortedNames(folder as string, scratch)) {
    signal.throwIfAborted();
    const key = prefix + name;
    if (!name.endsWith("/")) {
      if ((after === null || key > after) && !isPartName(name)) yield key;
      continue;
    }
    // A folder may hold what comes after even if its own name comes before.
    if (after !== null && key <= after && !after.startsWith(key)) continue;
    yield* below(root, key, after, scratch, signal);
  }
}

function pathOf(root: string, key: string): Buffer | string {
  const bytes = Buffer.from(key, "latin1");
  const name = bytes.toString("utf8");
  return Buffer.from(name).equals(bytes)
    ? `${root}/${name}`
    : Buffer.concat([Buffer.from(`${root}/`), bytes]);
}

async function pageOf(root: string, keys: readonly string[], ways: Ways): Promise<Page> {
  const entries: ObjectEntry[] = [];
  for (let at = 0; at < keys.length; at += LOOKED_AT_ONCE) {
    const some = keys.slice(at, at + LOOKED_AT_ONCE);
    const looked = await Promise.all(some.map((key) => entryOf(root, key, ways)));
    entries.push(...looked.filter((entry) => entry !== null));
  }
  return { entries, next: Buffer.from(keys.at(-1) as string, "latin1").toString("base64") };
}

async function entryOf(root: string, bytes: string, { disk, known }: Ways): Promise<ObjectEntry | null> {
  const key = Buffer.from(bytes, "latin1").toString("utf8");
  const bad = (problem: string) => ({ key, size: null, modified: null, tag: null, problem });
  const path = pathOf(root, bytes);
  if (typeof path !== "string") return bad("its name is not UTF-8");
  let found: BigIntStats;
  try {
    found = disk.isPrompt
      ? disk.ask(() => lstatSync(path, { bigint: true }))
      : await lstat(path, { bigint: true });
    if (found.isSymbolicLink()) {
      found = await stat(path, { bigint: true }).catch(() => found);
      if (found.isSymbolicLink()) return bad("it is a broken link");
      if (found.isDirectory()) return bad("it is a link to a folder, and those are not followed");
    }
  } catch (error) {
    // Gone since its folder was read.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    return bad(`it cannot be looked at (${(error as NodeJS.ErrnoException).code})`);
  }
  if (!found.isFile()) return bad("it is neither a file nor a folder");
  const sum = known?.find(found, null) ?? null;
  return {
    key,
    size: Number(found.size),
    modified: modifiedAt(found),
    tag: null,
    ...(sum === null ? {} : { known: sum }),
  };
}
