import { realpathSync, statSync } from "node:fs";
import { PawlError } from "../../errors.ts";

/** SQLite writes a header of 100 bytes before it switches a file to write-ahead logging: an empty file was emptied. */
const SMALLEST_BYTES = 100;

const GONE = "store.gone";

/** Whether an open store was found to be no longer where it was. */
export function isGone(error: unknown): boolean {
  return error instanceof PawlError && error.code === GONE;
}

/** Of one file, whatever its name becomes. */
type Identity = string | null;

/**
 * Which files an open store consists of. SQLite goes on writing into a file that was removed, moved or replaced, and
 * what it commits there nobody finds again, so each commit asks whether the names still lead to the same files. The log
 * and the shared memory belong to it: a process that opens the store without them sees neither commits nor locks.
 */
export class FileIdentity {
  readonly #location: string;
  readonly #log: string;
  readonly #sharedMemory: string;
  readonly #opened: readonly [file: Identity, log: Identity, sharedMemory: Identity];

  /** Takes the identities of a store that was just opened, and read or written in write-ahead mode. */
  constructor(location: string) {
    this.#location = location;
    // SQLite puts the log beside the file that a link leads to.
    const real = realpathSync(location);
    this.#log = `${real}-wal`;
    this.#sharedMemory = `${real}-shm`;
    this.#opened = [identity(location), identity(this.#log), identity(this.#sharedMemory)];
  }

  /** Throws a PawlError `store.gone` unless the path still leads to the file that was opened. */
  assertFile(): void {
    if (identity(this.#location, SMALLEST_BYTES) !== this.#opened[0]) throw gone(this.#location);
  }

  /** Throws a PawlError `store.gone` unless the file, its log and its shared memory are those that were opened. */
  assertWhole(): void {
    this.assertFile();
    if (identity(this.#log) !== this.#opened[1]) throw gone(this.#log);
    if (identity(this.#sharedMemory) !== this.#opened[2]) throw gone(this.#sharedMemory);
  }

  /** Whether the log alone was removed, so that copying it into the file from the open one can harm nobody. */
  get lacksOnlyLog(): boolean {
    return identity(this.#location, SMALLEST_BYTES) === this.#opened[0] && identity(this.#log) === null;
  }
}

function identity(path: string, smallestBytes = 0): Identity {
  // As integers of any size: numbers of files pass 2^53 on some file systems.
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined || found.size < smallestBytes ? null : `${found.dev}:${found.ino}`;
}

/** What to throw for an open store that is not where it was, or not what it was. */
export function gone(path: string): PawlError {
  return new PawlError(
    GONE,
    `The file ${path} was removed, moved, emptied or replaced while the store was open, so nothing more is written: ` +
      "put it back where it was, or start the program again.",
  );
}
