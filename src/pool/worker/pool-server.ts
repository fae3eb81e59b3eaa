import { setImmediate, setInterval } from "node:timers";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { inheritsThen, isThenable } from "../../thenable.ts";
import type { ToActor } from "../actor/protocol.ts";
import { connectToParent, receiveAnswers } from "../actor/remote/parent-calls.ts";
import { type FunctionReference, resolveReference } from "../callable/reference.ts";
import { neverEnds } from "../errors.ts";
import type { ItemContext } from "../options.ts";
import { handlesByIndex, unpack } from "../transfer/pack.ts";
import { describeError } from "../transfer/remote-error.ts";
import { monotonicMs, type Notes } from "./marker.ts";
import type { BatchMessage, ParentChannel, Setup, ToWorker, WorkerSetup } from "./protocol.ts";
import { Results } from "./results.ts";

/** Serves a pool, or as an actor, whose code most workers never need. Returns what to call with each message. */
export function serve(
  channel: ParentChannel<unknown>,
  setup: Setup,
  notes: Notes,
): (message: unknown) => void {
  if (!("actor" in setup)) {
    const take = servePool(channel, setup, notes);
    return (message) => take(message as ToWorker);
  }
  // Nothing is sent to an actor before it says that it is ready.
  let take: ((message: ToActor) => void) | null = null;
  void import("../actor/worker/actor-server.ts").then(({ serveActor }) => {
    take = serveActor(channel, setup, notes.note);
  });
  return (message) => take?.(message as ToActor);
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Handles are of kinds that this module makes known; most workers never meet one. */
async function knowShared(): Promise<void> {
  await import("../transfer/handle-kinds.ts");
}

/** Runs batches one after the other, as they come. Returns what to call with each message. */
function servePool(channel: ParentChannel, setup: WorkerSetup, notes: Notes): (message: ToWorker) => void {
  connectToParent(channel);
  const server = new PoolServer(channel, setup, notes);
  void server.begin();
  return (message) => server.take(message);
}

class PoolServer {
  readonly #channel: ParentChannel;
  readonly #setup: WorkerSetup;
  readonly #notes: Notes;
  readonly #functions = new Map<number, AnyFunction>();
  /** Of functions that could not be loaded: the next batch tries again, and has the same error if it cannot be. */
  readonly #references = new Map<number, FunctionReference>();
  readonly #waiting: BatchMessage[] = [];
  #init: unknown;
  #busy = true;
  #running: BatchRun | null = null;

  constructor(channel: ParentChannel, setup: WorkerSetup, notes: Notes) {
    this.#channel = channel;
    this.#setup = setup;
    this.#notes = notes;
  }

  async begin(): Promise<void> {
    const { init, initArgument } = this.#setup;
    try {
      if (initArgument.handles.length > 0) await knowShared();
      if (init !== null) {
        const begin = (await resolveReference(init)) as AnyFunction;
        this.#init = await begin(unpack(initArgument));
      }
    } catch (error) {
      this.#channel.post({ type: "unready", error: describeError(error) });
      return;
    }
    this.#channel.post({ type: "ready" });
    this.#busy = false;
    setInterval(() => this.#running?.lookForThen(), THEN_POLL_MS).unref();
    void this.#next();
  }

  take(message: ToWorker): void {
    switch (message.type) {
      case "batch":
        this.#waiting.push(message);
        void this.#next();
        return;
      case "cancel":
        if (this.#running?.id === message.id) this.#running.cancel(message.reason);
        return;
      case "abort":
        if (this.#running?.id === message.id) this.#running.abort(message.index, message.reason);
        return;
      case "answers":
        receiveAnswers(message);
        return;
      case "close":
        this.#channel.end();
    }
  }

  /** Never rejects. */
  async #next(): Promise<void> {
    while (!this.#busy) {
      const batch = this.#waiting.shift();
      if (batch === undefined) return;
      this.#busy = true;
      try {
        await this.#run(batch);
      } catch (error) {
        // Not the function's errors, which are results: something in here is broken, and the parent must hear of it.
        setImmediate(() => {
          throw error;
        });
        return;
      }
      this.#busy = false;
      this.#running = null;
    }
  }

  async #run(batch: BatchMessage): Promise<void> {
    const running = new BatchRun(batch, this.#channel, this.#setup.maxMemory);
    this.#running = running;
    // Loading a function may take its time: that it has begun to is all that can be known of it.
    if (batch.reference !== undefined) this.#notes.note(-1, monotonicMs());
    const reference = batch.reference ?? this.#references.get(batch.call);
    let fn = this.#functions.get(batch.call);
    // Not a failure of the batch: another worker can run it.
    if (fn === undefined && reference === undefined)
      throw new Error("A worker has lost the functions it was told of.");
    try {
      if (batch.handles !== null) await knowShared();
      fn ??= await this.#resolve(batch.call, reference as FunctionReference);
    } catch (error) {
      running.failAll(error);
      return;
    }
    await running.run(fn, this.#init, this.#notes);
  }

  async #resolve(call: number, reference: FunctionReference): Promise<AnyFunction> {
    this.#references.set(call, reference);
    const fn = (await resolveReference(reference)) as AnyFunction;
    this.#references.delete(call);
    this.#functions.set(call, fn);
    return fn;
  }
}

/** How often a worker looks whether what it waits for can end at all. */
const THEN_POLL_MS = 500;

/** Results do not wait longer than this for the rest of their batch: what a death can take along is that little. */
const FLUSH_MS = 2;
/** How long a worker may be busy before it looks for messages. */
const YIELD_MS = 20;

/** One batch on its way through the function. */
class BatchRun {
  readonly id: number;
  readonly #batch: BatchMessage;
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
  constructor(batch: BatchMessage, channel: ParentChannel, maxMemory: number | null) {
    this.id = batch.id;
    this.#batch = batch;
    this.#channel = channel;
    this.#maxMemory = maxMemory ?? Number.POSITIVE_INFINITY;
    this.#results = new Results(batch.id, batch.base, channel.isolation);
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
        // A death while this worker looks after its event loop takes no item along, and must take no result along.
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
    if (this.#maxMemory < Number.POSITIVE_INFINITY) this.#full = this.#channel.memory() > this.#maxMemory;
    const ended = this.#batch.base + this.#ended;
    const full = this.#full || inheritsThen();
    const circumstances = { ended, spentMs: this.#spentMs, last, full };
    this.#results.post(circumstances, (message) => this.#channel.post(message));
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
