import { isMainThread, Worker } from "node:worker_threads";

/** How often the thread writes down what time it is. */
const TICK_MS = 2;

/** A thread that is further behind than this gets too little of the processors to be relied on. */
const LATE_MS = 3 * TICK_MS;

/** Asking the system so often costs a few milliseconds altogether, which is what the thread costs to start. */
const WORTH_A_THREAD = 100_000;

/** The cells that the threads share: the time in whole milliseconds, for how many it is written, and one that never changes. */
const NOW = 0;
const WANTED = 1;
const ASLEEP = 2;

const source = `
const { cells, origin } = require("node:worker_threads").workerData;
for (;;) {
  Atomics.wait(cells, ${WANTED}, 0);
  Atomics.store(cells, ${NOW}, Number(process.hrtime.bigint()) / 1e6 - origin);
  Atomics.wait(cells, ${ASLEEP}, 0, ${TICK_MS});
}`;

/**
 * The time of `performance.now()` for a loop whose items take less than asking the system for it, which is some 45 ns: a thread writes it
 * into shared memory every two milliseconds while a loop wants it, and reading it there costs next to nothing. The
 * thread is started once the system has been asked often enough to pay for it; it sleeps when no loop wants it, and keeps no program alive.
 */
class SharedClock {
  /** To be read by `isBefore`. */
  readonly cells = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  #asked = 0;
  /** Null once it is known that there will be none. */
  #thread: Worker | null | undefined = isMainThread ? undefined : null;
  #up = false;

  /** Notes that a loop has asked the system so often. */
  asked(times: number): void {
    this.#asked += times;
    if (this.#asked >= WORTH_A_THREAD && this.#thread === undefined) this.#start();
  }

  /** The time is written down until this is disposed of; null where no thread does it. */
  use(): Disposable | null {
    if (!this.#up) return null;
    const cells = this.cells;
    Atomics.store(cells, NOW, performance.now());
    Atomics.add(cells, WANTED, 1);
    Atomics.notify(cells, WANTED);
    return { [Symbol.dispose]: () => void Atomics.sub(cells, WANTED, 1) };
  }

  /** Whether the thread keeps up, where the true time is `now`. */
  isRight(now: number): boolean {
    return !isBefore(this.cells, now - LATE_MS);
  }

  #start(): void {
    const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now();
    const gone = () => {
      this.#thread = null;
      this.#up = false;
    };
    try {
      const workerData = { cells: this.cells, origin };
      const thread = new Worker(source, {
        eval: true,
        name: "pawl-clock",
        workerData,
        execArgv: [],
        env: {},
      });
      this.#thread = thread;
      thread.on("online", () => {
        this.#up = true;
      });
      thread.on("error", gone);
      thread.on("exit", gone);
      thread.unref();
    } catch {
      gone();
    }
  }
}

/** One for this thread. */
export const sharedClock = new SharedClock();

/**
 * Whether the time in `cells` is before `moment`. Both are whole milliseconds of 32 bits that begin again at the lowest. A plain
 * read, which an atomic one takes five times as long as: what it misses it sees a moment later.
 */
export function isBefore(cells: Int32Array, moment: number): boolean {
  return (((cells[NOW] as number) - moment) | 0) < 0;
}
