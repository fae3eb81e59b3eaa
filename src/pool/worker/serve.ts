import { setImmediate, setInterval } from "node:timers";
import { answered, connectUp } from "../actor/up.ts";
import { unpack } from "../portable.ts";
import { type FunctionReference, resolveReference } from "../reference.ts";
import { THEN_LOOK_MS } from "../thenable.ts";
import { BatchRun } from "./batch-run.ts";
import type { Line } from "./line.ts";
import { monotonicMs, type Notes } from "./marker.ts";
import type { BatchMessage, ToWorker, WorkerSetup } from "./protocol.ts";
import { describeError } from "./remote-error.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Handles are of kinds that this module makes known; most workers never meet one. */
async function knowShared(): Promise<void> {
  await import("../kinds.ts");
}

/** Runs batches one after the other, as they come. Returns what to call with each message. */
export function serve(line: Line, setup: WorkerSetup, notes: Notes): (message: ToWorker) => void {
  connectUp(line);
  const server = new Server(line, setup, notes);
  void server.begin();
  return (message) => server.take(message);
}

class Server {
  readonly #line: Line;
  readonly #setup: WorkerSetup;
  readonly #notes: Notes;
  readonly #functions = new Map<number, AnyFunction>();
  /** Of functions that could not be loaded: the next batch tries again, and has the same error if it cannot be. */
  readonly #references = new Map<number, FunctionReference>();
  readonly #waiting: BatchMessage[] = [];
  #init: unknown;
  #busy = true;
  #running: BatchRun | null = null;

  constructor(line: Line, setup: WorkerSetup, notes: Notes) {
    this.#line = line;
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
      this.#line.post({ type: "unready", error: describeError(error) });
      return;
    }
    this.#line.post({ type: "ready" });
    this.#busy = false;
    setInterval(() => this.#running?.lookForThen(), THEN_LOOK_MS).unref();
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
        answered(message);
        return;
      case "close":
        this.#line.end();
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
    const running = new BatchRun(batch, this.#line, this.#setup.maxMemory);
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
