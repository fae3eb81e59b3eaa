import { randomUUID } from "node:crypto";
import { type BigIntStats, lstatSync } from "node:fs";
import { lstat, opendir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "../../../sqlite.ts";
import type { ListedPage, ObjectEntry } from "../contract.ts";
import type { ChecksumCache } from "./checksum-cache.ts";
import type { Disk } from "./disk.ts";
import { modifiedAt } from "./file-version.ts";
import { isPartName } from "./part-files.ts";

interface WalkOptions {
  readonly disk: Disk;
  /** Checksums from another time, to be told along. */
  readonly cache: ChecksumCache | null;
  /** Whether nothing below a folder is wanted, whose key ends in `/`: then it is not read. */
  readonly skips: (folder: string) => boolean;
}

const PAGE = 1000;
/** Files that are examined at once; they wait for the disk in a few threads anyway. */
const EXAMINED_AT_ONCE = 32;

/**
 * The files below a folder in the order of their keys, from after the key `from` on. Links to files are followed; a link
 * to a folder, a broken link and anything that is not a file are listed with their problem.
 */
export async function* walk(
  root: string,
  from: string | null,
  scratch: string,
  signal: AbortSignal,
  options: WalkOptions,
): AsyncGenerator<ListedPage, void, undefined> {
  let waiting: string[] = [];
  const after = from === null ? null : Buffer.from(from, "base64").toString("latin1");
  const below = new Below(root, after, { scratch, signal, skips: options.skips });
  for await (const key of below.keys("")) {
    waiting.push(key);
    if (waiting.length < PAGE) continue;
    yield await pageOf(root, waiting, options);
    waiting = [];
  }
  if (waiting.length > 0) yield await pageOf(root, waiting, options);
  yield { entries: [], next: null };
}

/** What lies below a folder. Keys are strings of one character a byte, so that their order is that of bytes. */
class Below {
  readonly #root: string;
  readonly #after: string | null;
  readonly #scratch: string;
  readonly #signal: AbortSignal;
  readonly #skips: (folder: string) => boolean;

  constructor(
    root: string,
    after: string | null,
    {
      scratch,
      signal,
      skips,
    }: {
      readonly scratch: string;
      readonly signal: AbortSignal;
      readonly skips: (folder: string) => boolean;
    },
  ) {
    this.#root = root;
    this.#after = after;
    this.#scratch = scratch;
    this.#signal = signal;
    this.#skips = skips;
  }

  /** A folder that cannot be read is given by its own key, which ends in `/`. */
  async *keys(prefix: string): AsyncGenerator<string, void, undefined> {
    const after = this.#after;
    for await (const name of this.#names(prefix)) {
      this.#signal.throwIfAborted();
      const key = prefix + name;
      if (!name.endsWith("/")) {
        if ((after === null || key > after) && !isPartName(name)) yield key;
        continue;
      }
      if (name === "/") {
        if (after === null || prefix > after) yield prefix;
        continue;
      }
      // A folder may hold what comes after even if its own name comes before.
      if (after !== null && key <= after && !after.startsWith(key)) continue;
      if (!this.#skips(Buffer.from(key, "latin1").toString("utf8"))) yield* this.keys(key);
    }
  }

  /** The names in a folder; `/` alone of one below the root that cannot be opened. */
  async *#names(prefix: string): AsyncGenerator<string, void, undefined> {
    const path = prefix === "" ? this.#root : pathOf(this.#root, prefix);
    let isOpen = false;
    try {
      for await (const name of sortedNames(path as string, this.#scratch)) {
        isOpen = true;
        yield name;
      }
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (isOpen || prefix === "" || !UNREADABLE.has(code)) throw error;
      // One that is gone since its parent was read held nothing that is there now.
      if (code !== "ENOENT") yield "/";
    }
  }
}

/** What is wrong with one folder, and not with the disk. */
const UNREADABLE = new Set(["EACCES", "EPERM", "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

function pathOf(root: string, key: string): Buffer | string {
  const bytes = Buffer.from(key, "latin1");
  const name = bytes.toString("utf8");
  return Buffer.from(name).equals(bytes)
    ? `${root}/${name}`
    : Buffer.concat([Buffer.from(`${root}/`), bytes]);
}

async function pageOf(root: string, keys: readonly string[], options: WalkOptions): Promise<ListedPage> {
  const entries: ObjectEntry[] = [];
  for (let at = 0; at < keys.length; at += EXAMINED_AT_ONCE) {
    const some = keys.slice(at, at + EXAMINED_AT_ONCE);
    const found = await Promise.all(some.map((key) => entryOf(root, key, options)));
    entries.push(...found.filter((entry) => entry !== null));
  }
  return { entries, next: Buffer.from(keys.at(-1) as string, "latin1").toString("base64") };
}

async function entryOf(
  root: string,
  bytes: string,
  { disk, cache }: WalkOptions,
): Promise<ObjectEntry | null> {
  const key = Buffer.from(bytes, "latin1").toString("utf8");
  const bad = (problem: string) => ({ key, size: null, modified: null, etag: null, problem });
  const path = pathOf(root, bytes);
  if (typeof path !== "string") return bad("its name is not UTF-8");
  if (key.endsWith("/")) return bad("this folder cannot be read, so that nothing in it is copied");
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
    return bad(`it cannot be examined (${(error as NodeJS.ErrnoException).code})`);
  }
  if (!found.isFile()) return bad("it is neither a file nor a folder");
  const sum = cache?.find(found, null) ?? null;
  return {
    key,
    size: Number(found.size),
    modified: modifiedAt(found),
    etag: null,
    ...(sum === null ? {} : { knownMd5: sum }),
  };
}

/** Of one folder, so many names are sorted in memory; more are sorted in a file. */
const IN_MEMORY = 50_000;
const AT_A_TIME = 1000;

/**
 * The names in a folder in the order in which their keys stand in a bucket: by bytes, a folder as if its name ended in
 * `/`. Each is a string of one character a byte. A folder of millions is sorted on disk, in `scratch`.
 */
export async function* sortedNames(
  path: string,
  scratch: string,
  inMemory = IN_MEMORY,
): AsyncGenerator<string, void, undefined> {
  let names: string[] = [];
  let spill: Spill | null = null;
  try {
    // Names need not be UTF-8, so they are read as bytes; the types of Node do not know that.
    const folder = await opendir(path, { encoding: "buffer" as "utf8", bufferSize: AT_A_TIME });
    for await (const entry of folder) {
      const name = (entry.name as unknown as Buffer).toString("latin1");
      names.push(entry.isDirectory() ? `${name}/` : name);
      if (names.length < inMemory) continue;
      spill ??= new Spill(join(scratch, `pawl-names-${randomUUID()}.db`));
      spill.add(names);
      names = [];
    }
    if (spill === null) {
      // A folder that changes while it is read may give a name twice.
      let before: string | null = null;
      for (const name of names.sort()) {
        if (name !== before) yield name;
        before = name;
      }
      return;
    }
    spill.add(names);
    yield* spill.sorted();
  } finally {
    await spill?.close();
  }
}

class Spill {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
    // It lives for as long as this process reads the folder.
    this.#database.exec(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE name (name BLOB PRIMARY KEY) WITHOUT ROWID",
    );
  }

  add(names: readonly string[]): void {
    const insert = this.#database.prepare("INSERT OR IGNORE INTO name VALUES (?)");
    this.#database.exec("BEGIN");
    for (const name of names) insert.run(Buffer.from(name, "latin1"));
    this.#database.exec("COMMIT");
  }

  *sorted(): Generator<string, void, undefined> {
    const next = this.#database.prepare("SELECT name FROM name WHERE name > ? ORDER BY name LIMIT ?");
    let after = Buffer.alloc(0);
    for (;;) {
      const rows = next.all(after, AT_A_TIME) as { name: Uint8Array }[];
      for (const { name } of rows) yield Buffer.from(name).toString("latin1");
      const last = rows.at(-1);
      if (last === undefined || rows.length < AT_A_TIME) return;
      after = Buffer.from(last.name);
    }
  }

  async close(): Promise<void> {
    this.#database.close();
    await rm(this.#path, { force: true });
  }
}
