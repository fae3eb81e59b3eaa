import type { Isolation } from "../../transfer/cloneable.ts";
import { below, type Handle, handlesByIndex, type Packed, packAll, unpack } from "../../transfer/pack.ts";
import { reviveError } from "../../transfer/remote-error.ts";
import { unsendable } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import type { ActorResults, CallsMessage } from "../protocol.ts";
import type { ActorCall } from "./call.ts";

type Post = (message: CallsMessage) => void;

/** Calls that a worker has at most; the others wait here, where its death does not touch them. */
const WINDOW = 256;

/** The calls of one actor that have no result: those that its worker has, and those that wait. */
export class CallQueue {
  /** Calls that have ended in a worker, well or not. */
  ended = 0;
  readonly #name: string;
  readonly #isolation: Isolation;
  readonly #waiting = new Fifo<ActorCall>();
  /** By their numbers in the worker that has them. */
  readonly #sent = new Map<number, ActorCall>();
  /** To the worker that is ready. */
  #post: Post | null = null;
  #next = 0;
  #flushing = false;

  /** The name is that of the actor. */
  constructor(name: string, isolation: Isolation) {
    this.#name = name;
    this.#isolation = isolation;
  }

  /** Calls without a result. */
  get length(): number {
    return this.#waiting.length + this.#sent.size;
  }

  add(call: ActorCall): void {
    this.#waiting.push(call);
    if (this.#flushing) return;
    this.#flushing = true;
    // Those of one turn in one message.
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Before all others. */
  putBack(calls: readonly ActorCall[]): void {
    this.#waiting.pushFront(calls);
  }

  /** A worker takes calls from now on. */
  open(post: Post): void {
    this.#post = post;
    this.#flush();
  }

  /** The call that the worker has under this number. */
  sent(seq: number): ActorCall | undefined {
    return this.#sent.get(seq);
  }

  /** Takes out a call that waits; false where it does not. */
  withdraw(call: ActorCall): boolean {
    return this.#waiting.take((each) => each === call) !== undefined;
  }

  /** Ends the calls whose results have come, and sends more. */
  deliver({ seqs, values, handles, errors }: ActorResults): void {
    const failed = errors.length === 0 ? null : new Map(errors);
    const handlesOf = handles.length === 0 ? null : handlesByIndex(handles);
    for (let at = 0; at < seqs.length; at++) {
      const seq = seqs[at] as number;
      const call = this.#sent.get(seq);
      if (call === undefined) continue;
      this.#sent.delete(seq);
      this.ended++;
      const error = failed?.get(at);
      if (error !== undefined) call.reject(reviveError(error));
      else resolve(call, { value: values[at], handles: handlesOf?.get(at) ?? [] });
    }
    if (this.#sent.size <= WINDOW / 2) this.#flush();
  }

  /** The worker is gone: calls up to number `begun` fail, the others wait for the next one. */
  workerGone(begun: number, errorOf: (call: ActorCall) => Error): void {
    this.#post = null;
    const waiting: ActorCall[] = [];
    for (const call of this.#sent.values()) {
      if (call.seq <= begun) call.reject(errorOf(call));
      // It had not begun, and must not begin in the next worker.
      else if (call.aborted !== null) call.reject(call.aborted.reason);
      else {
        call.seq = -1;
        waiting.push(call);
      }
    }
    this.#sent.clear();
    this.#next = 0;
    this.#waiting.pushFront(waiting);
  }

  /** Takes out all calls, and sends none any more. */
  drain(): ActorCall[] {
    this.#post = null;
    const all = [...this.#sent.values(), ...this.#waiting.drain()];
    this.#sent.clear();
    return all;
  }

  /** Sends calls that wait, as many as the worker may have. */
  #flush(): void {
    while (this.#post !== null && this.#waiting.length > 0 && this.#sent.size < WINDOW) {
      const calls: ActorCall[] = [];
      while (this.#sent.size + calls.length < WINDOW) {
        const call = this.#waiting.shift();
        if (call === undefined) break;
        calls.push(call);
      }
      this.#send(calls, this.#post);
    }
  }

  /** In one message; if one of them cannot be sent, each in its own. */
  #send(calls: readonly ActorCall[], post: Post): void {
    try {
      const handles: Handle[] = [];
      const args = calls.map((call, at) => {
        if (call.args.length === 0) return call.args;
        const all = packAll(call.args, this.#isolation);
        for (const handle of all.handles) handles.push(below(at, handle));
        return all.value;
      });
      const first = this.#next;
      post({
        type: "calls",
        first,
        methods: calls.map(({ method }) => method),
        args,
        handles,
        watched: calls.flatMap((call, at) => (call.watched ? [first + at] : [])),
      });
      this.#next += calls.length;
      for (let at = 0; at < calls.length; at++) {
        const call = calls[at] as ActorCall;
        call.seq = first + at;
        this.#sent.set(call.seq, call);
      }
    } catch (error) {
      const [only] = calls;
      if (calls.length > 1) for (const call of calls) this.#send([call], post);
      else only?.reject(unsendable(`${this.#name}.${only.method}`, error));
    }
  }
}

/** A handle may be to something that is no more. */
function resolve(call: ActorCall, packed: Packed): void {
  try {
    call.resolve(unpack(packed));
  } catch (error) {
    call.reject(error);
  }
}
