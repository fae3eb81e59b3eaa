import { setImmediate as yieldToLoop } from "node:timers/promises";
import { inheritsThen, isThenable } from "../../thenable.ts";
import { neverEnds } from "../errors.ts";
import type { ItemContext } from "../options.ts";
import { type Isolation, whyUnsendable } from "../transfer/cloneable.ts";
import {
  below,
  type Handle,
  handlesByIndex,
  packResult,
  unpack,
  unsendableResult,
} from "../transfer/pack.ts";
import { describeError, type RemoteError, sendableError } from "../transfer/remote-error.ts";
import { monotonicMs, type Notes } from "./marker.ts";
import type { ChunkMessage, ParentChannel, ResultsMessage } from "./protocol.ts";

/** How often a worker checks whether promises can settle at all: a function may have spoiled `then`. */
export const THEN_POLL_MS = 500;

/** Results wait no longer than this for the rest of their chunk, so that few are lost when the worker dies. */
export const FLUSH_MS = 2;
/** How long a worker may be busy before it looks for messages. */
export const YIELD_MS = 20;

/** A function as a worker calls it. */
export type WorkerFunction = (...args: unknown[]) => unknown;

/** One chunk on its way through the function. */
export class ChunkRun {
  readonly id: number;
  readonly #chunk: ChunkMessage;
  readonly #channel: ParentChannel;
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
  constructor(chunk: ChunkMessage, channel: ParentChannel, maxMemory: number | null) {
    this.id = chunk.id;
    this.#chunk = chunk;
    this.#channel = channel;
    this.#maxMemory = maxMemory ?? Number.POSITIVE_INFINITY;
    this.#results = new Results(chunk.id, chunk.base, channel.isolation);
  }

  async run(fn: WorkerFunction, init: unknown, { note, begin }: Notes): Promise<void> {
    const { base, spread, handles, items } = this.#chunk;
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
      // The function has cut the channel: the mark stays where it is, and says which item did.
      if (!this.#channel.isOpen()) return;
      const after = monotonicMs();
      this.#spentMs += after - now;
      now = after;
      if (now - flushed > FLUSH_MS && at < items.length - 1) {
        this.#flush(false);
        flushed = now;
      }
      if (now - yielded > YIELD_MS) {
        // While the event loop has its turn no item runs: a worker that dies then must not lose results either.
        this.#flush(false);
        flushed = now;
        note(-1, now);
        await yieldToLoop();
        now = monotonicMs();
        yielded = now;
      }
    }
    this.#current = null;
    // The mark of the last item stays until its result is sent, because sending it may be too much for the heap.
    this.#flush(true);
    note(-1, now);
  }

  /** The function could not be loaded. */
  failAll(thrown: unknown): void {
    const error = describeError(thrown);
    for (const _ of this.#chunk.items) this.#results.error(error);
    this.#ended = this.#chunk.items.length;
    this.#flush(true);
  }

  /** Gives up an item whose promise can never settle. A new worker runs the items after it. */
  lookForThen(): void {
    if (this.#awaited === null || !inheritsThen()) return;
    this.#abandoned = true;
    this.#results.error(describeError(neverEnds(`Item ${this.#awaited}`)));
    this.#ended = this.#awaited - this.#chunk.base + 1;
    this.#awaited = null;
    this.#flush(true);
  }

  /** Leaves the rest undone, and aborts the signal of the item that runs. */
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
    if (this.#maxMemory < Number.POSITIVE_INFINITY) this.#full = this.#channel.memory() > this.#maxMemory;
    const ended = this.#chunk.base + this.#ended;
    const full = this.#full || inheritsThen();
    const delivery = { ended, spentMs: this.#spentMs, last, full };
    this.#results.post(delivery, (message) => this.#channel.post(message));
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

  /** It is made when it is first asked for, since most functions do not use it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, "AbortError"));
  }
}

/** What the results of a chunk are sent with. */
type Delivery = Pick<ResultsMessage, "ended" | "spentMs" | "last" | "full">;

/** What came out of the items of a chunk, until it is sent. */
class Results {
  readonly #id: number;
  readonly #isolation: Isolation;
  #values: unknown[] = [];
  #errors: [at: number, error: RemoteError][] = [];
  #handles: Handle[] = [];
  /** The index of the first item that was not sent. */
  #from: number;

  /** Results of the chunk with this number, whose first item has the index `base`. */
  constructor(id: number, base: number, isolation: Isolation) {
    this.#id = id;
    this.#from = base;
    this.#isolation = isolation;
  }

  /** Adds the result of the next item. Throws a PawlError where the value cannot go to where it is sent. */
  value(value: unknown): void {
    if (typeof value !== "object" || value === null) {
      this.#values.push(value);
      return;
    }
    const packed = packResult(value, this.#isolation);
    for (const handle of packed.handles) this.#handles.push(below(this.#values.length, handle));
    this.#values.push(packed.value);
  }

  error(error: RemoteError): void {
    this.#errors.push([this.#values.length, error]);
    this.#values.push(undefined);
  }

  /** The next item was passed over. */
  nothing(): void {
    this.#values.push(undefined);
  }

  /** Sends what there is. What cannot be sent becomes an error. */
  post(delivery: Delivery, post: (message: ResultsMessage) => void): void {
    const message: ResultsMessage = {
      type: "results",
      id: this.#id,
      from: this.#from,
      values: this.#values,
      handles: this.#handles.length === 0 ? null : this.#handles,
      errors: this.#errors.length === 0 ? null : this.#errors,
      ...delivery,
    };
    try {
      post(message);
    } catch {
      post(sendable(message, this.#isolation));
    }
    this.#from += this.#values.length;
    this.#values = [];
    if (message.errors !== null) this.#errors = [];
    if (message.handles !== null) this.#handles = [];
  }
}

/** Puts an error in the place of each value that cannot be sent, so that it does not take the others along. */
function sendable(message: ResultsMessage, to: Isolation): ResultsMessage {
  const canSend = (value: unknown) => whyUnsendable(value, to) === null;
  const errors: [number, RemoteError][] = (message.errors ?? []).map(([at, error]) => [
    at,
    canSend(error) ? error : sendableError(error, canSend),
  ]);
  const values = message.values.map((value, at) => {
    const why = whyUnsendable(value, to);
    if (why === null) return value;
    errors.push([at, describeError(unsendableResult(why))]);
    return undefined;
  });
  return { ...message, values, errors };
}
