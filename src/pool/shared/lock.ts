import { threadId } from "node:worker_threads";
import { assertObject } from "../../arguments.ts";
import { type Duration, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { markAsUncloneable } from "../../uncloneable.ts";
import type { Isolation } from "../transfer/cloneable.ts";
import { type HandleState, type Shareable, shareableKind, toHandle } from "../transfer/pack.ts";
import { assertStaysInProcess, sharedCell } from "./memory.ts";

const KIND = "lock";

const FREE = 0;
/** Set beside the holder once another thread waits, so that the holder knows to wake one. */
const WAITED_FOR = 1;
/** This thread as a holder: thread ids start at 0, and the lowest bit is taken. */
const HERE = (threadId + 1) * 2;

/**
 * Who sleeps looks again this often, in milliseconds. Unlocking wakes one sleeper, and that very thread may be ended
 * before it wakes: then the next one has to notice by itself.
 */
const POLL_MS = 200;

/** How a lock is waited for. */
export interface LockOptions {
  /**
   * How long to wait at most; then it is the error `pool.lock-timeout`.
   * @default for ever
   */
  readonly timeout?: Duration;
}

/** Stands for a lock being held: `using guard = lock.lock()` unlocks at the end of the block. */
export interface LockGuard extends Disposable {
  /** Unlocks. Does nothing the second time, or after `unlock`. */
  [Symbol.dispose](): void;
}

/**
 * One thread at a time. It belongs to the thread that took it: no other may unlock it, and that thread cannot take it
 * twice. The first thread that asks when it is free gets it; there is no queue.
 *
 * A worker that is ended while it holds the lock holds it for good, because no thread can know how far it came: what the
 * lock guards may be half written. Wait with a `timeout` where that can happen; its error names the holder. To continue,
 * make what is guarded again, and a new lock with it.
 *
 * @throws PawlError `pool.shared-memory` for memory that is not that of a lock
 * @example
 * ```ts
 * const lock = new Lock();
 * {
 *   using guard = lock.lock({ timeout: "1s" });
 *   console.log(lock.holder); // 0
 * }
 * console.log(lock.holder); // null
 * ```
 */
export class Lock implements Shareable {
  readonly #word: Int32Array<SharedArrayBuffer>;
  #guard: LockGuard | null = null;

  /** A free lock, or over the memory of a lock that is there already. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#word = new Int32Array(sharedCell(memory, 4, "A Lock takes nothing, or"));
    markAsUncloneable(this);
  }

  /** The id of the thread that holds it; null when it is free. */
  get holder(): number | null {
    const word = Atomics.load(this.#word, 0);
    return word === FREE ? null : holderOf(word);
  }

  /**
   * Takes the lock, and blocks the thread until it can. In the main thread that stops everything, output of workers
   * included; use `lockAsync` there.
   *
   * @throws PawlError `pool.lock-timeout`; `pool.lock-again` when this thread holds it, which would wait for ever;
   * `argument.duration` for a timeout that cannot be
   */
  lock(options: LockOptions = {}): LockGuard {
    const deadline = deadlineOf(options);
    for (let mine = HERE; ; mine = HERE | WAITED_FOR) {
      const word = this.#takeOrWaitFor(mine);
      if (word === null) return this.#guarded();
      if (holderOf(word) === threadId) {
        throw new PawlError(
          "pool.lock-again",
          "This thread holds the lock already, and would wait for itself for ever: unlock it first, or use lockAsync where another async function of this thread holds it.",
        );
      }
      Atomics.wait(this.#word, 0, word, waitMs(deadline, word));
    }
  }

  /**
   * The same, and other things can happen in this thread meanwhile.
   *
   * @throws PawlError `pool.lock-timeout`, and `argument.duration` for a timeout that cannot be
   */
  async lockAsync(options: LockOptions = {}): Promise<LockGuard> {
    const deadline = deadlineOf(options);
    // Waiting for memory alone does not keep a program from ending.
    const alive = setInterval(() => {}, LONGEST_TIMER_MS);
    try {
      for (let mine = HERE; ; mine = HERE | WAITED_FOR) {
        const word = this.#takeOrWaitFor(mine);
        if (word === null) return this.#guarded();
        await Atomics.waitAsync(this.#word, 0, word, waitMs(deadline, word)).value;
      }
    } finally {
      clearInterval(alive);
    }
  }

  /** Takes the lock if it is free; null if it is not. */
  tryLock(): LockGuard | null {
    return Atomics.compareExchange(this.#word, 0, FREE, HERE) === FREE ? this.#guarded() : null;
  }

  /**
   * Frees the lock, and wakes a thread that waits for it.
   *
   * @throws PawlError `pool.lock-not-held` when this thread does not hold it
   */
  unlock(): void {
    const word = Atomics.load(this.#word, 0);
    if (word === FREE || holderOf(word) !== threadId) {
      const holder = word === FREE ? "no thread does" : `thread ${holderOf(word)} does`;
      throw new PawlError(
        "pool.lock-not-held",
        `Thread ${threadId} cannot unlock a lock that it does not hold; ${holder}: unlock once for each time it was taken, in the thread that took it.`,
      );
    }
    this.#guard = null;
    const before = Atomics.exchange(this.#word, 0, FREE);
    if ((before & WAITED_FOR) !== 0) Atomics.notify(this.#word, 0, 1);
  }

  /**
   * Calls the function while holding the lock, and returns what it returns.
   *
   * @throws as `lock`; what the function throws; PawlError `pool.lock-async` for an async function
   */
  run<T>(fn: () => T, options?: LockOptions): T {
    using _guard = this.lock(options);
    const result = fn();
    if (typeof result === "object" && result !== null && "then" in result) {
      throw new PawlError(
        "pool.lock-async",
        "lock.run was given an async function, which continues after the lock is free again: use lock.runAsync.",
      );
    }
    return result;
  }

  /**
   * Holds the lock until the promise of the function settles, and resolves with its result.
   *
   * @throws as `lockAsync`; what the function throws
   */
  async runAsync<T>(fn: () => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    using _guard = await this.lockAsync(options);
    return await fn();
  }

  /**
   * How it crosses to a worker.
   *
   * @throws PawlError `pool.shared-process` on the way to a process
   */
  [toHandle](to: Isolation): HandleState {
    assertStaysInProcess(to, "A Lock", 'isolate the pool by "thread"');
    return { kind: KIND, state: this.#word.buffer };
  }

  /**
   * Null when it was taken as `mine`; otherwise what is to be waited for to change, in which it says that a thread
   * waits. Who has slept takes the lock as one that is waited for: others may sleep still, and only one was woken.
   */
  #takeOrWaitFor(mine: number): number | null {
    for (;;) {
      const word = Atomics.compareExchange(this.#word, 0, FREE, mine);
      if (word === FREE) return null;
      const waited = word | WAITED_FOR;
      if (word === waited || Atomics.compareExchange(this.#word, 0, word, waited) === word) return waited;
    }
  }

  #guarded(): LockGuard {
    const guard: LockGuard = {
      [Symbol.dispose]: () => {
        if (this.#guard === guard) this.unlock();
      },
    };
    this.#guard = guard;
    return guard;
  }
}

shareableKind(KIND, (memory: SharedArrayBuffer) => new Lock(memory));

function holderOf(word: number): number {
  return (word >> 1) - 1;
}

function deadlineOf(options: LockOptions): number {
  assertObject(options, "The options of a lock");
  return performance.now() + milliseconds(options.timeout ?? Number.POSITIVE_INFINITY, "The option timeout");
}

/** For how long to sleep; throws when the time is over. */
function waitMs(deadline: number, word: number): number {
  const left = deadline - performance.now();
  if (left > 0) return Math.min(left, POLL_MS);
  throw new PawlError(
    "pool.lock-timeout",
    `Thread ${holderOf(word)} has not let go of the lock in time: it is still at work, or was ended while it held it, and then what the lock guards may be half written.`,
  );
}
