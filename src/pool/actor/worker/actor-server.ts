import { setInterval } from "node:timers";
import { PawlError } from "../../../errors.ts";
import { inheritsThen, isThenable } from "../../../thenable.ts";
import { resolveCallable } from "../../callable/callable.ts";
import { neverEnds } from "../../errors.ts";
import { type Handle, handlesByIndex, unpack } from "../../transfer/pack.ts";
import { describeError } from "../../transfer/remote-error.ts";
import { FLUSH_MS, THEN_POLL_MS, YIELD_MS } from "../../worker/chunk-run.ts";
import { monotonicMs, type Note } from "../../worker/marker.ts";
import type { ParentChannel } from "../../worker/protocol.ts";
import { withSignal } from "../call-signal.ts";
import { Fifo } from "../fifo.ts";
import type { ActorSetup, CallsMessage, FromActor, ToActor } from "../protocol.ts";
import { connectToParent, receiveAnswers } from "../remote/parent-calls.ts";
import { BusyTime, ResultSender } from "./result-sender.ts";

/** Taken before the methods of users can replace them. */
const NativePromise = Promise;
const nativeThen = Promise.prototype.then;
const { apply } = Reflect;

type Method = (...args: unknown[]) => unknown;
type Instance = Record<PropertyKey, Method | undefined>;

interface Call {
  readonly seq: number;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly handles: readonly Handle[];
  readonly watched: boolean;
}

/** Before a method that took longer than this last time, results are sent: they might wait long, or die with it. */
const QUICK_MS = 1;

/** Makes the object, and calls it as messages come. Returns what to call with each of them. */
export function serveActor(
  channel: ParentChannel<FromActor>,
  setup: ActorSetup,
  note: Note,
): (message: ToActor) => void {
  connectToParent(channel);
  const server = new ActorServer(channel, setup.actor, note);
  void server.begin();
  return (message) => server.take(message);
}

class ActorServer {
  readonly #channel: ParentChannel<FromActor>;
  readonly #actor: ActorSetup["actor"];
  readonly #note: Note;
  readonly #waiting = new Fifo<Call>();
  /** Of watched calls that run; a controller is made when the method looks at its signal, or the call is aborted. */
  readonly #watched = new Map<number, AbortController | null>();
  /** Methods whose last call was over in no time. */
  readonly #quick = new Set<string>();
  #instance: Instance = {};
  readonly #busy = new BusyTime();
  readonly #results: ResultSender;
  /** When it last looked for messages. */
  #turn = 0;
  #yielding = false;
  #spoiled = false;

  constructor(channel: ParentChannel<FromActor>, actor: ActorSetup["actor"], note: Note) {
    this.#channel = channel;
    this.#actor = actor;
    this.#note = note;
    this.#results = new ResultSender(channel, actor, this.#busy, () => this.#next());
  }

  async begin(): Promise<void> {
    const { reference, args, saved, saveEvery } = this.#actor;
    try {
      // Now rather than at the first handle, which would let the calls behind it overtake.
      await import("../../transfer/handle-kinds.ts");
      const Class = (await resolveCallable(reference)) as unknown as new (...args: unknown[]) => Instance;
      this.#instance = new Class(...(unpack(args) as unknown[]));
      const { save, restore } = this.#instance;
      if (saveEvery > 0 && typeof save === "function" && typeof restore === "function")
        this.#results.saveWith(() => this.#instance.save?.());
      if (saved !== null) await this.#instance.restore?.(unpack(saved));
    } catch (error) {
      this.#channel.post({ type: "unready", error: describeError(error) });
      return;
    }
    this.#channel.post({ type: "ready", methods: methodsOf(this.#instance) });
    setInterval(() => this.#lookForThen(), THEN_POLL_MS).unref();
  }

  /** What is awaited here will never end, nor what comes after it. */
  #lookForThen(): void {
    if (!this.#spoiled && inheritsThen()) {
      this.#spoiled = true;
      this.#results.flush();
      this.#channel.post({
        type: "spoiled",
        error: describeError(neverEnds(`A method of ${this.#actor.name}`)),
      });
    }
  }

  take(message: ToActor): void {
    switch (message.type) {
      case "calls":
        this.#lineUp(message);
        this.#turn = monotonicMs();
        this.#next();
        return;
      case "abort":
        this.#abort(message.seq, message.reason);
        return;
      case "close":
        void this.#close();
        return;
      case "answers":
        receiveAnswers(message);
    }
  }

  #lineUp({ first, methods, args, handles, watched }: CallsMessage): void {
    const handlesOf = handles.length === 0 ? null : handlesByIndex(handles);
    for (let at = 0; at < methods.length; at++) {
      const seq = first + at;
      this.#waiting.push({
        seq,
        method: methods[at] as string,
        args: args[at] as readonly unknown[],
        handles: handlesOf?.get(at) ?? [],
        watched: watched.length > 0 && watched.includes(seq),
      });
    }
  }

  /** Begins calls while there are some and room for them. */
  #next(): void {
    const { concurrency } = this.#actor;
    this.#lookForThen();
    while (!this.#spoiled && !this.#results.isSaving && !this.#yielding && this.#busy.running < concurrency) {
      const call = this.#waiting.first;
      if (call === undefined) return;
      const now = monotonicMs();
      const sinceSent = this.#results.sinceSent(now);
      if (sinceSent !== null && (sinceSent > FLUSH_MS || !this.#quick.has(call.method))) {
        if (!this.#results.flush()) return;
      }
      if (now - this.#turn > YIELD_MS) {
        this.#yielding = true;
        setImmediate(() => {
          this.#yielding = false;
          this.#turn = monotonicMs();
          this.#next();
        });
        return;
      }
      this.#waiting.shift();
      this.#begin(call, now);
    }
  }

  #begin(call: Call, now: number): void {
    this.#busy.begin(now);
    this.#note(call.seq, now);
    if (call.watched) {
      this.#watched.set(call.seq, null);
      this.#channel.post({ type: "began", seq: call.seq });
    }
    try {
      const args = unpack({ value: call.args, handles: call.handles }) as readonly unknown[];
      const signal = call.watched ? () => this.#controllerOf(call.seq).signal : undefined;
      const returned = withSignal(signal, () => (this.#instance[call.method] as Method)(...args));
      if (isThenable(returned)) {
        const later = (settle: () => void) => {
          settle();
          this.#end(call, now);
          this.#results.flushOwed();
          this.#next();
        };
        const ended = (value: unknown) => later(() => this.#value(call, value));
        const failed = (error: unknown) => later(() => this.#results.error(call.seq, error));
        if (returned instanceof NativePromise) apply(nativeThen, returned, [ended, failed]);
        else returned.then(ended, failed);
        return;
      }
      this.#value(call, returned);
    } catch (error) {
      this.#results.error(call.seq, error);
    }
    this.#end(call, now);
  }

  #end(call: Call, began: number): void {
    const now = monotonicMs();
    this.#busy.end(now);
    if (call.watched) this.#watched.delete(call.seq);
    if (now - began < QUICK_MS) this.#quick.add(call.method);
    else this.#quick.delete(call.method);
    this.#results.flushSoon();
  }

  #value(call: Call, value: unknown): void {
    try {
      if (isIterator(value)) {
        const sentence = `${this.#actor.name}.${call.method} returned an iterator, which cannot leave its worker: return an array, or one page a call.`;
        throw new PawlError("pool.actor-iterator", sentence);
      }
      this.#results.value(call.seq, value);
    } catch (error) {
      this.#results.error(call.seq, error);
    }
  }

  #controllerOf(seq: number): AbortController {
    const controller = this.#watched.get(seq) ?? new AbortController();
    // A method that looks at its signal after the call has ended gets one of its own, which is not kept.
    if (this.#watched.has(seq)) this.#watched.set(seq, controller);
    return controller;
  }

  #abort(seq: number, reason: string): void {
    const error = new DOMException(reason, "AbortError");
    const waiting = this.#waiting.take((call) => call.seq === seq);
    if (waiting === undefined) {
      if (this.#watched.has(seq)) this.#controllerOf(seq).abort(error);
      return;
    }
    this.#results.error(seq, error);
    this.#results.flushSoon();
  }

  async #close(): Promise<void> {
    try {
      const end = this.#instance[Symbol.asyncDispose] ?? this.#instance[Symbol.dispose];
      await end?.call(this.#instance);
      this.#channel.post({ type: "closed", error: null });
    } catch (error) {
      this.#channel.post({ type: "closed", error: describeError(error) });
    }
  }
}

/** Made by a generator or the like; arrays and maps are none. */
function isIterator(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!(Symbol.iterator in value || Symbol.asyncIterator in value)) return false;
  return "next" in value && typeof value.next === "function";
}

/** Never a method of a handle: awaiting the handle would call it. */
const NEVER = new Set(["constructor", "then"]);

/**
 * The names of what can be called on an object: methods of its class and of those it extends, and functions among its
 * own properties. Getters are not run to find out.
 */
function methodsOf(object: object): string[] {
  const names = new Set<string>();
  const seen = new Set<string>();
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      // What hides a method of the same name further up hides it here too.
      if (seen.has(name)) continue;
      seen.add(name);
      if (typeof descriptor.value === "function" && !NEVER.has(name)) names.add(name);
    }
  }
  return [...names];
}
