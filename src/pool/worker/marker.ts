import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where a worker notes which item it runs and since when, so that its parent can read it at any moment: while the
 * worker is busy, and after it has died. Threads note it in shared memory; processes in a file that has no name.
 */
export interface Marker {
  /** Null while no item runs. `since` is in milliseconds of the machine's monotonic clock. */
  read(): Mark | null;
  clear(): void;
  close(): void;
}

export interface Mark {
  readonly index: number;
  readonly since: number;
}

export type Note = (index: number, since: number) => void;

const BYTES = 16;
const NONE = -1;

/** Milliseconds of a clock that all threads and processes of this machine share. */
export const monotonicMs: () => number = (() => {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => performance.now() + offset;
})();

export class SharedMarker implements Marker {
  readonly memory = new SharedArrayBuffer(BYTES);
  readonly #view = new Float64Array(this.memory);

  constructor() {
    this.clear();
  }

  read(): Mark | null {
    // The index is written last: one that is read twice alike had its time before it.
    for (;;) {
      const index = this.#view[0] as number;
      const since = this.#view[1] as number;
      if (index === this.#view[0]) return index === NONE ? null : { index, since };
    }
  }

  clear(): void {
    this.#view[0] = NONE;
  }

  close(): void {}
}

/** The thread's side of a shared marker. */
export function noteInMemory(memory: SharedArrayBuffer): Note {
  const view = new Float64Array(memory);
  return (index, since) => {
    view[0] = NONE;
    view[1] = since;
    view[0] = index;
  };
}

export class FileMarker implements Marker {
  readonly fd: number;
  readonly #bytes = Buffer.alloc(BYTES);
  readonly #view = new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset, 2);

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "pawl-mark-"));
    const path = join(folder, "mark");
    this.fd = openSync(path, "w+", 0o600);
    unlinkSync(path);
    rmdirSync(folder);
    this.clear();
  }

  read(): Mark | null {
    if (readSync(this.fd, this.#bytes, 0, BYTES, 0) < BYTES) return null;
    const [index, since] = this.#view as unknown as [number, number];
    return index === NONE ? null : { index, since };
  }

  clear(): void {
    this.#view[0] = NONE;
    this.#view[1] = 0;
    writeSync(this.fd, this.#bytes, 0, BYTES, 0);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** The process's side of a file marker. */
export function noteInFile(fd: number): Note {
  const view = new Float64Array(2);
  const bytes = Buffer.from(view.buffer);
  return (index, since) => {
    view[0] = index;
    view[1] = since;
    writeSync(fd, bytes, 0, BYTES, 0);
  };
}
