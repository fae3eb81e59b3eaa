import { type BigIntStats, realpathSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { PawlError } from "../../errors.ts";

/** SQLite writes a header of 100 bytes before it switches a file to write-ahead logging: an empty file was emptied. */
const SMALLEST_BYTES = 100;

const GONE = "store.gone";

/** Whether an open store was found to be no longer where it was. */
export function isGone(error: unknown): boolean {
  return error instanceof PawlError && error.code === GONE;
}

/**
 * How old the last change of a folder must be before its times tell whether there was another: the coarsest times of any file
 * system are two seconds apart.
 */
const SETTLED_MS = 2_000;

/** What a path led to when this was made, even if it leads elsewhere later. */
class OpenedPath {
  readonly path: string;
  readonly #options: { readonly bigint: boolean; readonly throwIfNoEntry: false };
  readonly #opened: Pick<Stats | BigIntStats, "dev" | "ino"> | null;

  constructor(path: string) {
    this.path = path;
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    // Numbers of files pass 2^53 on some file systems. Elsewhere plain numbers are exact, and cost less to ask for.
    const bigint =
      found !== undefined && Math.max(Number(found.ino), Number(found.dev)) > Number.MAX_SAFE_INTEGER;
    this.#options = { bigint, throwIfNoEntry: false };
    this.#opened = found === undefined ? null : (this.find() ?? null);
  }

  /** What the path leads to now. */
  find(): Stats | BigIntStats | undefined {
    return statSync(this.path, this.#options);
  }

  is(found: Stats | BigIntStats | undefined): boolean {
    if (found === undefined || this.#opened === null) return found === undefined && this.#opened === null;
    return found.ino === this.#opened.ino && found.dev === this.#opened.dev;
  }
}

/**
 * Which files an open store consists of. SQLite continues to write into a file that was removed, moved or replaced, and
 * what it commits there is never found again, so each commit asks whether the names still lead to the same files. The log
 * and the shared memory belong to it: a process that opens the store without them sees neither commits nor locks.
 */
export class FileIdentity {
  readonly #file: OpenedPath;
  readonly #log: OpenedPath;
  readonly #sharedMemory: OpenedPath;
  /** Of all three; null where a link leads to them, which may be led elsewhere. */
  readonly #folder: OpenedPath | null;
  readonly #now: () => number;
  /** The folder as it was at the last check of all three; null where its last change was so recent that its times could miss another. */
  #settled: Stats | BigIntStats | null = null;

  /** Takes the identities of a store that was just opened, and read or written in write-ahead mode. */
  constructor(location: string, now: () => number = Date.now) {
    // SQLite puts the log beside the file that a link leads to.
    const real = realpathSync(location);
    this.#file = new OpenedPath(location);
    this.#log = new OpenedPath(`${real}-wal`);
    this.#sharedMemory = new OpenedPath(`${real}-shm`);
    this.#folder = real === location ? new OpenedPath(dirname(location)) : null;
    this.#now = now;
  }

  /** Throws a PawlError `store.gone` unless the path still leads to the file that was opened. */
  assertFile(): void {
    if (!this.#hasFile) throw gone(this.#file.path);
  }

  /**
   * Throws a PawlError `store.gone` unless the names of the file, its log and its shared memory lead to what was opened. Where
   * their folder has not changed since the last check they do, which costs one call instead of three. Only `assertFile` finds that the file was
   * emptied.
   */
  assertNames(): void {
    const folder = this.#folder?.find();
    if (folder !== undefined && this.#isSettled(folder)) return;
    this.assertFile();
    for (const file of [this.#log, this.#sharedMemory]) if (!file.is(file.find())) throw gone(file.path);
    const settles = folder !== undefined && this.#now() - lastChange(folder) > SETTLED_MS;
    this.#settled = settles && this.#folder?.is(folder) ? folder : null;
  }

  /** Whether the log alone was removed, so that copying it into the file from the open one does no harm. */
  get lacksOnlyLog(): boolean {
    return this.#hasFile && this.#log.find() === undefined;
  }

  get #hasFile(): boolean {
    const found = this.#file.find();
    return found !== undefined && found.size >= SMALLEST_BYTES && this.#file.is(found);
  }

  /** Whether no entry of the folder was made, removed or renamed since the last check of all three. */
  #isSettled(folder: Stats | BigIntStats): boolean {
    const before = this.#settled;
    return (
      before !== null &&
      before.ctimeMs === folder.ctimeMs &&
      before.mtimeMs === folder.mtimeMs &&
      before.ino === folder.ino &&
      before.dev === folder.dev
    );
  }
}

/** In milliseconds of the machine's clock. */
function lastChange({ ctimeMs, mtimeMs }: Stats | BigIntStats): number {
  return Math.max(Number(ctimeMs), Number(mtimeMs));
}

/** What to throw for an open store that is not where it was, or not what it was. */
export function gone(path: string): PawlError {
  return new PawlError(
    GONE,
    `The file ${path} was removed, moved, emptied or replaced while the store was open, so nothing more is written: ` +
      "put it back where it was, or start the program again.",
  );
}
