import { setImmediate as yieldToLoop } from "node:timers/promises";
import { isThenable } from "../../thenable.ts";
import type { ItemContext } from "../context.ts";
import { handlesByIndex, unpack } from "../portable.ts";
import { inheritsThen, neverEnds } from "../thenable.ts";
import type { Line } from "./line.ts";
import { monotonicMs, type Notes } from "./marker.ts";
import type { BatchMessage } from "./protocol.ts";
import { describeError } from "./remote-error.ts";
import { Results } from "./results.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Results do not wait longer than this for the rest of their batch: what a death can take along is that little. */
const FLUSH_MS = 2;
/** How long a worker may be busy before it looks for messages. */
const YIELD_MS = 20;

/** One batch on its way through the function. */
export class BatchRun {
  readonly id: number;
  readonly #batch: BatchMessage;
  readonly #line: Line;
  readonly #maxMemory: number;
  readonly #results: Results;
  #spentMs = 0;
  /** Items that have a result, or were passed over. */
  #ended = 0;
  #cancelled: string | null = null;
  #full = false;
  /** The index of the item whose promise is waited for. */
  #awaited: number | null = null;
  #abandoned = false;
  readonly #skipped = new Set<number>();
  #current: Context | null = null;

  /** Leaves the rest to others once the worker uses more than `maxMemory` bytes. */
  constructor(batch: BatchMessage, line: Line, maxMemory: number | null) {
    this.id = batch.id;
    this.#batch = batch;
    this.#line = line;
    this.#maxMemory = maxMemory ?? Number.POSITIVE_INFINITY;
    this.#results = new Results(batch.id, batch.base, line.isolation);
  }

  async run(fn: AnyFunction, init: unknown, { note, begin }: Notes): Promise<void> {
    const { base, spread, handles, items } = this.#batch;
    const handlesOf = handles === null ? null : handlesByIndex(handles);
    const results = this.#results;
    let now = monotonicMs();
    let flushed = now;
    let yielded = now;
    for (let at = 0; at < items.length && this.#cancelled === null && !this.#full; at++) {
      const index = base + at;
      // It was given to another worker.
      if (!begin(index, now, at)) break;
      if (this.#skipped.size > 0 && this.#skipped.has(index)) {
        results.nothing();
        this.#ended = at + 1;
        continue;
      }
      const context = new Context(index, init);
      this.#current = context;
      try {
        const own = handlesOf?.get(at);
        const item = own === undefined ? items[at] : unpack({ value: items[at], handles: own });
        const args = spread ? (item as readonly unknown[]) : [item];
        const returned = fn.length > args.length ? fn(...args, context) : fn(...args);
        if (isThenable(returned)) {
          this.#awaited = index;
          const value = await returned;
          if (this.#abandoned) return;
          results.value(value);
        } else results.value(returned);
      } catch (error) {
        if (this.#abandoned) return;
        results.error(describeError(error));
      }
      this.#awaited = null;
      this.#ended = at + 1;
      // The function has cut the line: the mark stays where it is, and says which item did.
      if (!this.#line.isOpen()) return;
      const after = monotonicMs();
      this.#spentMs += after - now;
      now = after;
      if (now - flushed > FLUSH_MS && at < items.length - 1) {
        this.#flush(false);
        flushed = now;
      }
      if (now - yielded > YIELD_MS) {
        // What dies while this worker looks after its loop takes no item along, and shall take no result along.
        this.#flush(false);
        flushed = now;
        note(-1, now);
        await yieldToLoop();
        now = monotonicMs();
        yielded = now;
      }
    }
    this.#current = null;
    // To send a result may be too much for the heap.
    this.#flush(true);
    note(-1, now);
  }

  /** The function could not be loaded. */
  failAll(thrown: unknown): void {
    const error = describeError(thrown);
    for (const _ of this.#batch.items) this.#results.error(error);
    this.#ended = this.#batch.items.length;
    this.#flush(true);
  }

  /** Gives up an item that waits for what can never end, with all that were to follow. Others run them, and a new worker. */
  lookForThen(): void {
    if (this.#awaited === null || !inheritsThen()) return;
    this.#abandoned = true;
    this.#results.error(describeError(neverEnds(`Item ${this.#awaited}`)));
    this.#ended = this.#awaited - this.#batch.base + 1;
    this.#awaited = null;
    this.#flush(true);
  }

  /** Leaves the rest undone, and tells the item that runs. */
  cancel(reason: string): void {
    this.#cancelled = reason;
    this.#current?.abort(reason);
  }

  /** Tells an item to stop, or passes it over when it has not begun. */
  abort(index: number, reason: string): void {
    if (this.#current?.index === index) this.#current.abort(reason);
    else this.#skipped.add(index);
  }

  #flush(last: boolean): void {
    if (this.#maxMemory < Number.POSITIVE_INFINITY) this.#full = this.#line.memory() > this.#maxMemory;
    const ended = this.#batch.base + this.#ended;
    const full = this.#full || inheritsThen();
    const circumstances = { ended, spentMs: this.#spentMs, last, full };
    this.#results.post(circumstances, (message) => this.#line.post(message));
    this.#spentMs = 0;
  }
}

class Context implements ItemContext {
  readonly index: number;
  readonly init: unknown;
  #controller: AbortController | null = null;

  constructor(index: number, init: unknown) {
    this.index = index;
    this.init = init;
  }

  /** Made when it is first asked for: most functions never look. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, "AbortError"));
  }
}
