import { PawlError } from "../../errors.ts";
import { resolveCallable } from "../callable.ts";
import { pack, unpack } from "../portable.ts";
import type { Line } from "../worker/line.ts";
import { monotonicMs, type Note } from "../worker/marker.ts";
import { describeError } from "../worker/remote-error.ts";
import { withSignal } from "./call-signal.ts";
import { Ended, unsaved } from "./ended.ts";
import { Fifo } from "./fifo.ts";
import { methodsOf } from "./methods.ts";
import type { ActorSetup, CallsMessage, FromActor, Packed, ToActor } from "./protocol.ts";
import { answered, connectUp } from "./up.ts";

type Method = (...args: unknown[]) => unknown;
type Instance = Record<PropertyKey, Method | undefined>;

interface Call {
  readonly seq: number;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly packed: boolean;
  readonly watched: boolean;
}

/** Results do not wait longer than this for those of the next calls. */
const FLUSH_MS = 2;
/** Before a method that took longer than this last time, results are sent: they might wait long, or die with it. */
const QUICK_MS = 1;
/** How long a worker may be busy before it looks for messages. */
const YIELD_MS = 20;

/** Makes the object, and calls it as messages come. Returns what to call with each of them. */
export function serveActor(line: Line<FromActor>, setup: ActorSetup, note: Note): (message: ToActor) => void {
  connectUp(line);
  const server = new ActorServer(line, setup.actor, note);
  void server.begin();
  return (message) => server.take(message);
}

class ActorServer {
  readonly #line: Line<FromActor>;
  readonly #actor: ActorSetup["actor"];
  readonly #note: Note;
  readonly #waiting = new Fifo<Call>();
  /** Of watched calls that run; a controller is made when somebody looks or aborts. */
  readonly #watched = new Map<number, AbortController | null>();
  /** Methods whose last call was over in no time. */
  readonly #quick = new Set<string>();
  #instance: Instance = {};
  #saves = false;
  #saving = false;
  #running = 0;
  #busySince = 0;
  #busyMs = 0;
  /** When it last looked for messages. */
  #turn = 0;
  #yielding = false;
  #flushed = 0;
  #flushSoon = false;
  /** Results wait for the call that runs, so that no half of its effect is saved with them. */
  #owed = false;
  readonly #ended: Ended;
  #unsaved = 0;

  constructor(line: Line<FromActor>, actor: ActorSetup["actor"], note: Note) {
    this.#line = line;
    this.#actor = actor;
    this.#note = note;
    this.#ended = new Ended(line.isolation);
  }

  async begin(): Promise<void> {
    const { reference, args, saved, saveEvery } = this.#actor;
    try {
      // Now rather than at the first handle, which would let the calls behind it overtake.
      await import("../kinds.ts");
      const Class = (await resolveCallable(reference)) as unknown as new (...args: unknown[]) => Instance;
      this.#instance = new Class(...(opened(args) as unknown[]));
      const { save, restore } = this.#instance;
      this.#saves = saveEvery > 0 && typeof save === "function" && typeof restore === "function";
      if (saved !== null) await this.#instance.restore?.(opened(saved));
    } catch (error) {
      this.#line.post({ type: "unready", error: describeError(error) });
      return;
    }
    this.#line.post({ type: "ready", methods: methodsOf(this.#instance) });
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
        answered(message);
    }
  }

  #lineUp({ first, methods, args, packed, watched }: CallsMessage): void {
    for (let at = 0; at < methods.length; at++) {
      const seq = first + at;
      this.#waiting.push({
        seq,
        method: methods[at] as string,
        args: args[at] as readonly unknown[],
        packed,
        watched: watched.length > 0 && watched.includes(seq),
      });
    }
  }

  /** Begins calls while there are some and room for them. */
  #next(): void {
    while (!this.#saving && !this.#yielding && this.#running < this.#actor.maxConcurrency) {
      const call = this.#waiting.first;
      if (call === undefined) return;
      const now = monotonicMs();
      if (this.#ended.length > 0 && (!this.#quick.has(call.method) || now - this.#flushed > FLUSH_MS)) {
        if (!this.#flush()) return;
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
    if (this.#running++ === 0) this.#busySince = now;
    this.#note(call.seq, now);
    if (call.watched) {
      this.#watched.set(call.seq, null);
      this.#line.post({ type: "began", seq: call.seq });
    }
    try {
      const args = call.packed ? call.args.map(unpack) : call.args;
      const signal = call.watched ? () => this.#controllerOf(call.seq).signal : undefined;
      const returned = withSignal(signal, () => (this.#instance[call.method] as Method)(...args));
      if (isThenable(returned)) {
        const later = (settle: () => void) => {
          settle();
          this.#end(call, now);
          if (this.#owed) this.#flush();
          this.#next();
        };
        returned.then(
          (value) => later(() => this.#value(call, value)),
          (error: unknown) => later(() => this.#ended.error(call.seq, error)),
        );
        return;
      }
      this.#value(call, returned);
    } catch (error) {
      this.#ended.error(call.seq, error);
    }
    this.#end(call, now);
  }

  #end(call: Call, began: number): void {
    const now = monotonicMs();
    this.#running--;
    if (this.#running === 0) this.#busyMs += now - this.#busySince;
    if (call.watched) this.#watched.delete(call.seq);
    if (now - began < QUICK_MS) this.#quick.add(call.method);
    else this.#quick.delete(call.method);
    this.#flushLater();
  }

  #flushLater(): void {
    if (this.#flushSoon) return;
    this.#flushSoon = true;
    // After all that can run now has run, and before anything is waited for.
    process.nextTick(() => {
      this.#flushSoon = false;
      this.#flush();
    });
  }

  #value(call: Call, value: unknown): void {
    try {
      if (isIterator(value)) {
        const sentence = `${this.#actor.name}.${call.method} returned an iterator, which cannot leave its worker: return an array, or one page a call.`;
        throw new PawlError("pool.actor-iterator", sentence);
      }
      this.#ended.value(call.seq, value);
    } catch (error) {
      this.#ended.error(call.seq, error);
    }
  }

  /** Sends what there is, with the state if it is time. False when that goes on by itself and calls `#next`. */
  #flush(): boolean {
    if (this.#saving) return false;
    const count = this.#ended.length;
    if (count === 0) return true;
    if (!this.#saves) return this.#post(count, null);
    if (this.#running > 0 && this.#actor.maxConcurrency === 1) {
      this.#owed = true;
      return true;
    }
    this.#owed = false;
    this.#unsaved += count;
    if (this.#unsaved < this.#actor.saveEvery) return this.#post(count, null);
    try {
      const state = this.#instance.save?.();
      if (!isThenable(state)) return this.#postSaved(count, state);
      this.#saving = true;
      state.then(
        (saved) => this.#goOn(count, saved),
        (error: unknown) => this.#goOn(count, undefined, error),
      );
      return false;
    } catch (error) {
      return this.#postUnsaved(count, error);
    }
  }

  /** After the promise of `save`. Calls that ended meanwhile may have no effect on what it gave, and need another. */
  #goOn(count: number, state: unknown, error?: unknown): void {
    this.#saving = false;
    if (error === undefined) this.#postSaved(count, state);
    else this.#postUnsaved(count, error);
    this.#flush();
    this.#next();
  }

  #postSaved(count: number, state: unknown): boolean {
    try {
      const saved = pack(state, this.#line.isolation);
      this.#unsaved = 0;
      return this.#post(count, saved);
    } catch (error) {
      return this.#postUnsaved(count, error);
    }
  }

  #postUnsaved(count: number, error: unknown): boolean {
    const why = error instanceof Error ? error.message : String(error);
    this.#ended.fail(count, unsaved(why, error));
    return this.#post(count, null);
  }

  #post(count: number, saved: Packed | null): boolean {
    const now = monotonicMs();
    if (this.#running > 0) {
      this.#busyMs += now - this.#busySince;
      this.#busySince = now;
    }
    this.#flushed = now;
    this.#ended.post(count, this.#busyMs, saved, (message) => this.#line.post(message));
    this.#busyMs = 0;
    return true;
  }

  #controllerOf(seq: number): AbortController {
    const controller = this.#watched.get(seq) ?? new AbortController();
    // Who looks after the end keeps what he gets, but nobody else can find it any more.
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
    this.#ended.error(seq, error);
    this.#flushLater();
  }

  async #close(): Promise<void> {
    try {
      const end = this.#instance[Symbol.asyncDispose] ?? this.#instance[Symbol.dispose];
      await end?.call(this.#instance);
      this.#line.post({ type: "closed", error: null });
    } catch (error) {
      this.#line.post({ type: "closed", error: describeError(error) });
    }
  }
}

function opened({ value, packed }: Packed): unknown {
  return packed ? unpack(value) : value;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Made by a generator or the like; arrays and maps are none. */
function isIterator(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!(Symbol.iterator in value || Symbol.asyncIterator in value)) return false;
  return "next" in value && typeof value.next === "function";
}
