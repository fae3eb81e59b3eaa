import { setImmediate, setInterval } from "node:timers";
import type { ToActor } from "../actor/protocol.ts";
import { connectToParent, receiveAnswers } from "../actor/remote/parent-calls.ts";
import { type FunctionReference, resolveReference } from "../callable/reference.ts";
import { unpack } from "../transfer/pack.ts";
import { describeError } from "../transfer/remote-error.ts";
import { ChunkRun, THEN_POLL_MS, type WorkerFunction } from "./chunk-run.ts";
import { monotonicMs, type Notes } from "./marker.ts";
import type { ChunkMessage, ParentChannel, Setup, ToWorker, WorkerSetup } from "./protocol.ts";

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

/** Loads the classes of shared things. Most workers never receive one, and start faster without. */
async function knowShared(): Promise<void> {
  await import("../transfer/handle-kinds.ts");
}

/** Runs chunks one after the other, as they come. Returns what to call with each message. */
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
  readonly #functions = new Map<number, WorkerFunction>();
  /** Of functions that could not be loaded: the next chunk tries again, and has the same error if it cannot be. */
  readonly #references = new Map<number, FunctionReference>();
  readonly #waiting: ChunkMessage[] = [];
  #init: unknown;
  #busy = true;
  #running: ChunkRun | null = null;

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
        const begin = (await resolveReference(init)) as WorkerFunction;
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
      case "chunk":
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
      const chunk = this.#waiting.shift();
      if (chunk === undefined) return;
      this.#busy = true;
      try {
        await this.#run(chunk);
      } catch (error) {
        // Errors of the function are results. This one is a fault of the worker itself, and must end it.
        setImmediate(() => {
          throw error;
        });
        return;
      }
      this.#busy = false;
      this.#running = null;
    }
  }

  async #run(chunk: ChunkMessage): Promise<void> {
    const running = new ChunkRun(chunk, this.#channel, this.#setup.maxMemory);
    this.#running = running;
    // Loading a function may take long. The note tells the parent that the worker has received the chunk.
    if (chunk.reference !== undefined) this.#notes.note(-1, monotonicMs());
    const reference = chunk.reference ?? this.#references.get(chunk.call);
    let fn = this.#functions.get(chunk.call);
    // The chunk has not failed, and another worker can run it, so this one ends.
    if (fn === undefined && reference === undefined)
      throw new Error("A worker has lost the functions it was told of.");
    try {
      if (chunk.handles !== null) await knowShared();
      fn ??= await this.#resolve(chunk.call, reference as FunctionReference);
    } catch (error) {
      running.failAll(error);
      return;
    }
    await running.run(fn, this.#init, this.#notes);
  }

  async #resolve(call: number, reference: FunctionReference): Promise<WorkerFunction> {
    this.#references.set(call, reference);
    const fn = (await resolveReference(reference)) as WorkerFunction;
    this.#references.delete(call);
    this.#functions.set(call, fn);
    return fn;
  }
}
