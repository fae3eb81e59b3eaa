import { setImmediate as yieldToLoop } from "node:timers/promises";
import { PawlError } from "../../errors.ts";
import { answered, connectUp } from "../actor/up.ts";
import type { ItemContext } from "../context.ts";
import { type Isolation, pack, unpack } from "../portable.ts";
import { type FunctionReference, resolveReference } from "../reference.ts";
import { monotonicMs, type Note } from "./marker.ts";
import type { BatchMessage, FromWorker, ResultsMessage, ToWorker, WorkerSetup } from "./protocol.ts";
import { describeError, type RemoteError, sendableError } from "./remote-error.ts";
import { whyUnsendable } from "./sendable.ts";

/** The worker's end of the line to its parent. */
export interface Line<From = FromWorker> {
  readonly isolation: Isolation;
  post(message: From): void;
  /** Whether anything can still be sent. */
  isOpen(): boolean;
  /** Bytes this worker uses. */
  memory(): number;
  /** Ends the worker. */
  end(): void;
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Results do not wait longer than this for the rest of their batch: what a death can take along is that little. */
const FLUSH_MS = 2;
/** How long a worker may be busy before it looks for messages. */
const YIELD_MS = 20;

/** Handles are of kinds that this module makes known; most workers never meet one. */
async function knowShared(): Promise<void> {
  await import("../kinds.ts");
}

/** Runs batches one after the other, as they come. Returns what to call with each message. */
export function serve(line: Line, setup: WorkerSetup, note: Note): (message: ToWorker) => void {
  connectUp(line);
  const server = new Server(line, setup, note);
  void server.begin();
  return (message) => server.take(message);
}

class Server {
  readonly #line: Line;
  readonly #setup: WorkerSetup;
  readonly #note: Note;
  readonly #functions = new Map<number, AnyFunction>();
  /** Of functions that could not be loaded: the next batch tries again, and has the same error if it cannot be. */
  readonly #references = new Map<number, FunctionReference>();
  readonly #waiting: BatchMessage[] = [];
  #init: unknown;
  #busy = true;
  #running: Running | null = null;

  constructor(line: Line, setup: WorkerSetup, note: Note) {
    this.#line = line;
    this.#setup = setup;
    this.#note = note;
  }

  async begin(): Promise<void> {
    const { init, initArgument, packed } = this.#setup;
    try {
      if (packed) await knowShared();
      if (init !== null) {
        const begin = (await resolveReference(init)) as AnyFunction;
        this.#init = await begin(packed ? unpack(initArgument) : initArgument);
      }
    } catch (error) {
      this.#line.post({ type: "unready", error: describeError(error) });
      return;
    }
    this.#line.post({ type: "ready" });
    this.#busy = false;
    this.#next();
  }

  take(message: ToWorker): void {
    switch (message.type) {
      case "batch":
        this.#waiting.push(message);
        this.#next();
        return;
      case "cancel":
        if (this.#running?.id === message.id) this.#running.cancel(message.reason);
        return;
      case "abort":
        if (this.#running?.id === message.id) this.#running.abort(message.index, message.reason);
        return;
      case "answers":
        answered(message);
        return;
      case "close":
        this.#line.end();
    }
  }

  #next(): void {
    if (this.#busy) return;
    const batch = this.#waiting.shift();
    if (batch === undefined) return;
    this.#busy = true;
    this.#run(batch)
      .catch((error: unknown) => {
        // Not the function's errors, which are results: something in here is broken, and the parent must hear of it.
        setImmediate(() => {
          throw error;
        });
      })
      .finally(() => {
        this.#busy = false;
        this.#running = null;
        this.#next();
      });
  }

  async #run(batch: BatchMessage): Promise<void> {
    const running = new Running(batch, this.#line, this.#setup.maxMemory);
    this.#running = running;
    let fn: AnyFunction;
    try {
      if (batch.packed) await knowShared();
      fn = this.#functions.get(batch.call) ?? (await this.#resolve(batch));
    } catch (error) {
      running.failAll(describeError(error));
      return;
    }
    await running.run(fn, this.#init, this.#note);
  }

  async #resolve(batch: BatchMessage): Promise<AnyFunction> {
    const reference = batch.reference ?? this.#references.get(batch.call);
    if (reference === undefined) {
      throw new PawlError("pool.unknown-function", "A worker was asked for a function it was never told of.");
    }
    this.#references.set(batch.call, reference);
    const fn = (await resolveReference(reference)) as AnyFunction;
    this.#references.delete(batch.call);
    this.#functions.set(batch.call, fn);
    return fn;
  }
}

/** One batch on its way through the function. */
class Running {
  readonly id: number;
  readonly #batch: BatchMessage;
  readonly #line: Line;
  readonly #maxMemory: number;
  #values: unknown[] = [];
  #errors: [number, RemoteError][] = [];
  #from: number;
  #spentMs = 0;
  #packed = false;
  #cancelled: string | null = null;
  #full = false;
  readonly #skipped = new Set<number>();
  #current: Context | null = null;

  constructor(batch: BatchMessage, line: Line, maxMemory: number | null) {
    this.id = batch.id;
    this.#batch = batch;
    this.#line = line;
    this.#maxMemory = maxMemory ?? Number.POSITIVE_INFINITY;
    this.#from = batch.base;
  }

  async run(fn: AnyFunction, init: unknown, note: Note): Promise<void> {
    const { base, spread, packed } = this.#batch;
    const { items } = this.#batch;
    let now = monotonicMs();
    let flushed = now;
    let yielded = now;
    for (let at = 0; at < items.length && this.#cancelled === null && !this.#full; at++) {
      const index = base + at;
      if (this.#skipped.size > 0 && this.#skipped.has(index)) {
        this.#values.push(undefined);
        continue;
      }
      note(index, now);
      const context = new Context(index, init);
      this.#current = context;
      try {
        const item = packed ? unpack(items[at]) : items[at];
        const args = spread ? (item as readonly unknown[]) : [item];
        const returned = fn.length > args.length ? fn(...args, context) : fn(...args);
        const isPromise = typeof returned === "object" && returned !== null && "then" in returned;
        this.#keep(isPromise ? await returned : returned);
      } catch (error) {
        this.#errors.push([this.#values.length, describeError(error)]);
        this.#values.push(undefined);
      }
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

  failAll(error: RemoteError): void {
    this.#values = this.#batch.items.map(() => undefined);
    this.#errors = this.#values.map((_, at) => [at, error]);
    this.#flush(true);
  }

  cancel(reason: string): void {
    this.#cancelled = reason;
    this.#current?.abort(reason);
  }

  abort(index: number, reason: string): void {
    if (this.#current?.index === index) this.#current.abort(reason);
    else this.#skipped.add(index);
  }

  #keep(value: unknown): void {
    if (typeof value !== "object" || value === null) {
      this.#values.push(value);
      return;
    }
    const { value: portable, packed } = pack(value, this.#line.isolation);
    if (packed) this.#packed = true;
    this.#values.push(portable);
  }

  #flush(last: boolean): void {
    if (this.#maxMemory < Number.POSITIVE_INFINITY) this.#full = this.#line.memory() > this.#maxMemory;
    const message: ResultsMessage = {
      type: "results",
      id: this.id,
      from: this.#from,
      values: this.#values,
      packed: this.#packed,
      errors: this.#errors,
      spentMs: this.#spentMs,
      last,
      full: this.#full,
    };
    try {
      this.#line.post(message);
    } catch {
      this.#line.post(sendable(message, this.#line.isolation));
    }
    this.#from += this.#values.length;
    this.#values = [];
    this.#errors = [];
    this.#spentMs = 0;
    this.#packed = false;
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

/** Puts an error in the place of each value that cannot be sent, so that it does not take the others along. */
function sendable(message: ResultsMessage, to: Isolation): ResultsMessage {
  const canSend = (value: unknown) => whyUnsendable(value, to) === null;
  const errors: [number, RemoteError][] = message.errors.map(([at, error]) => [
    at,
    canSend(error) ? error : sendableError(error, canSend),
  ]);
  const values = message.values.map((value, at) => {
    const why = whyUnsendable(value, to);
    if (why === null) return value;
    const sentence = `The result cannot be sent back from a worker (${why}): return plain data.`;
    errors.push([at, describeError(new PawlError("pool.unsendable-result", sentence))]);
    return undefined;
  });
  return { ...message, values, errors };
}
