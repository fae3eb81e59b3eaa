import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { markAsUncloneable } from "../../uncloneable.ts";
import type { Isolation } from "../transfer/cloneable.ts";
import { type HandleState, type Shareable, shareableKind, toHandle } from "../transfer/pack.ts";
import { assertStaysInProcess, sharedCell } from "./memory.ts";

const KIND = "counter";

/**
 * A whole number that all threads of this process see and change, each change in one piece. It holds 64 bits and
 * speaks numbers, so it counts to 2^53 - 1 either way.
 *
 * @throws PawlError `pool.counter-range` where a value past that is read, or given; `pool.shared-memory` for memory that is not
 * that of a counter
 * @example
 * ```ts
 * await using pool = new Pool();
 * const counter = new Counter();
 * await pool.map((c: Counter) => c.add(1), [counter, counter, counter]);
 * console.log(counter.value); // 3
 * ```
 */
export class Counter implements Shareable {
  readonly #cell: BigInt64Array<SharedArrayBuffer>;

  /** From `start` on, or over the memory of a counter that is there already. */
  constructor(start: number | SharedArrayBuffer = 0) {
    if (typeof start === "number") {
      this.#cell = new BigInt64Array(new SharedArrayBuffer(8));
      this.#cell[0] = exact(start);
    } else this.#cell = new BigInt64Array(sharedCell(start, 8, "A Counter begins with a number, or takes"));
    markAsUncloneable(this);
  }

  /** The value as it is now. */
  get value(): number {
    return safe(Atomics.load(this.#cell, 0));
  }

  /** Adds to the value, and returns what it is then. */
  add(amount = 1): number {
    const added = exact(amount);
    return safe(Atomics.add(this.#cell, 0, added) + added);
  }

  /** Takes off the value, and returns what it is then. */
  sub(amount = 1): number {
    const taken = exact(amount);
    return safe(Atomics.sub(this.#cell, 0, taken) - taken);
  }

  /** Puts a value in place, and returns the one before. */
  exchange(value: number): number {
    return safe(Atomics.exchange(this.#cell, 0, exact(value)));
  }

  /** Puts a value in place of the expected one. Returns the one before: it was replaced if it is the expected. */
  compareExchange(expected: number, value: number): number {
    return safe(Atomics.compareExchange(this.#cell, 0, exact(expected), exact(value)));
  }

  /**
   * How it crosses to a worker.
   *
   * @throws PawlError `pool.shared-process` on the way to a process
   */
  [toHandle](to: Isolation): HandleState {
    assertStaysInProcess(to, "A Counter", 'isolate the pool by "thread", or add up what the workers return');
    return { kind: KIND, state: this.#cell.buffer };
  }
}

shareableKind(KIND, (memory: SharedArrayBuffer) => new Counter(memory));

function exact(value: number): bigint {
  if (!Number.isSafeInteger(value)) throw range(value);
  return BigInt(value);
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw range(value);
  return number;
}

function range(value: number | bigint): PawlError {
  return new PawlError(
    "pool.counter-range",
    `A Counter cannot tell ${shown(value)}: it counts in whole numbers up to ${Number.MAX_SAFE_INTEGER} either way.`,
  );
}
