import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a worker uses is taken before the functions of users run, which may replace it for all that runs there. */
const { load, store } = Atomics;
const now = performance.now.bind(performance);

/**
 * Where a worker notes which item it runs and since when, so that its parent can read it at any moment: while the
 * worker is busy, and after it has died. Threads note it in shared memory; processes in a file that has no name.
 *
 * The same memory holds how far the worker may go in its chunk. It notes an item as begun and then looks whether it may;
 * its parent lowers the limit and then looks what has begun. So at least one of them sees what the other wrote, and no
 * item that was taken back begins.
 */
export interface Marker {
  /** Null while no item runs. `since` is in milliseconds of the machine's monotonic clock. */
  read(): Mark | null;
  /** A chunk of so many items is on its way to the worker, which has ended the one before. */
  open(items: number): void;
  /** When the worker last noted anything, in milliseconds of the machine's monotonic clock. */
  readonly noted: number;
  /** The position in its chunk of the last item that the worker has begun; -1 for none. */
  readonly begun: number;
  /** Lets it begin no further item, except that `least` may be begun in all. Returns the position from which on none is. */
  limit(least: number): number;
  clear(): void;
  close(): void;
}

export interface Mark {
  readonly index: number;
  readonly since: number;
}

export type Note = (index: number, since: number) => void;

/** The worker's side of a marker. */
export interface Notes {
  readonly note: Note;
  /** Notes the item at this position of the chunk as begun; false when it must not begin. */
  begin(index: number, since: number, position: number): boolean;
}

/** What a worker whose objects are spoiled has noted may be no number. */
function markOf(index: number, since: number): Mark | null {
  return Number.isInteger(index) && index !== NONE ? { index, since } : null;
}

/** Two numbers of a mark. */
const MARK_BYTES = 16;
const BYTES = 32;
const NONE = -1;

/** Milliseconds of a clock that all threads and processes of this machine share. */
export const monotonicMs: () => number = (() => {
  const offset = Number(process.hrtime.bigint()) / 1e6 - now();
  return () => now() + offset;
})();

export class SharedMarker implements Marker {
  readonly memory = new SharedArrayBuffer(BYTES);
  readonly #view = new Float64Array(this.memory, 0, 2);
  /** The position begun last, and the first position that must not begin. */
  readonly #positions = new Int32Array(this.memory, MARK_BYTES, 2);

  constructor() {
    this.clear();
  }

  open(items: number): void {
    Atomics.store(this.#positions, 0, NONE);
    Atomics.store(this.#positions, 1, items);
  }

  get noted(): number {
    return this.#view[1] as number;
  }

  get begun(): number {
    return Atomics.load(this.#positions, 0);
  }

  limit(least: number): number {
    const limit = Math.min(Atomics.load(this.#positions, 1), Math.max(this.begun + 1, least));
    Atomics.store(this.#positions, 1, limit);
    return Math.max(limit, this.begun + 1);
  }

  read(): Mark | null {
    // The index is written last: one that is read twice alike had its time before it.
    for (;;) {
      const index = this.#view[0] as number;
      const since = this.#view[1] as number;
      if (Object.is(index, this.#view[0])) return markOf(index, since);
    }
  }

  clear(): void {
    this.#view[0] = NONE;
  }

  close(): void {}
}

/** The thread's side of a shared marker. */
export function notesInMemory(memory: SharedArrayBuffer): Notes {
  const view = new Float64Array(memory, 0, 2);
  const positions = new Int32Array(memory, MARK_BYTES, 2);
  const note: Note = (index, since) => {
    view[0] = NONE;
    view[1] = since;
    view[0] = index;
  };
  return {
    note,
    begin(index, since, position) {
      note(index, since);
      store(positions, 0, position);
      return position < load(positions, 1);
    },
  };
}

export class FileMarker implements Marker {
  readonly fd: number;
  readonly #bytes = Buffer.alloc(BYTES);
  /** As it lies in the file: the mark, the position begun last, the first position that must not begin. */
  readonly #view = new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset, 4);

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "pawl-mark-"));
    const path = join(folder, "mark");
    this.fd = openSync(path, "w+", 0o600);
    unlinkSync(path);
    rmdirSync(folder);
    this.clear();
  }

  open(items: number): void {
    this.#view[2] = NONE;
    this.#view[3] = items;
    writeSync(this.fd, this.#bytes, MARK_BYTES, BYTES - MARK_BYTES, MARK_BYTES);
  }

  get noted(): number {
    this.#load();
    return this.#view[1] as number;
  }

  get begun(): number {
    this.#load();
    return this.#view[2] as number;
  }

  limit(least: number): number {
    const limit = Math.max(this.begun + 1, least);
    if (limit < (this.#view[3] as number)) {
      this.#view[3] = limit;
      writeSync(this.fd, this.#bytes, BYTES - 8, 8, BYTES - 8);
    }
    const begun = this.begun;
    return Math.max(this.#view[3] as number, begun + 1);
  }

  read(): Mark | null {
    if (!this.#load()) return null;
    const [index, since] = this.#view as unknown as [number, number];
    return markOf(index, since);
  }

  #load(): boolean {
    return readSync(this.fd, this.#bytes, 0, BYTES, 0) === BYTES;
  }

  clear(): void {
    this.#view.set([NONE, 0, NONE, 0]);
    writeSync(this.fd, this.#bytes, 0, BYTES, 0);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** The process's side of a file marker. */
export function notesInFile(fd: number): Notes {
  const view = new Float64Array(4);
  const bytes = Buffer.from(view.buffer);
  return {
    note(index, since) {
      view[0] = index;
      view[1] = since;
      writeSync(fd, bytes, 0, MARK_BYTES, 0);
    },
    begin(index, since, position) {
      view[0] = index;
      view[1] = since;
      view[2] = position;
      writeSync(fd, bytes, 0, BYTES - 8, 0);
      readSync(fd, bytes, BYTES - 8, 8, BYTES - 8);
      return position < (view[3] as number);
    },
  };
}
