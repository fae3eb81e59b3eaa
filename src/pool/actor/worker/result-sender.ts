import { isThenable } from "../../../thenable.ts";
import { type Isolation, whyUnsendable } from "../../transfer/cloneable.ts";
import { below, type Handle, type Packed, pack, packResult, unsendableResult } from "../../transfer/pack.ts";
import { describeError, type RemoteError } from "../../transfer/remote-error.ts";
import { monotonicMs } from "../../worker/marker.ts";
import type { ParentChannel } from "../../worker/protocol.ts";
import { unsaved } from "../errors.ts";
import type { ActorResults, ActorSetup, FromActor } from "../protocol.ts";

/** Taken before the methods of users can replace it. */
const nextTick = process.nextTick.bind(process);

/** Sends the results of calls, together with the object's state when it is time to save it. */
export class ResultSender {
  readonly #channel: ParentChannel<FromActor>;
  readonly #actor: ActorSetup["actor"];
  readonly #busy: BusyTime;
  readonly #savedLate: () => void;
  readonly #ended: EndedCalls;
  /** Gives the state; null where it is not saved. */
  #save: (() => unknown) | null = null;
  /** The promise of a state is waited for: no call may begin. */
  #saving = false;
  /** Results that were sent since the state was. */
  #unsaved = 0;
  #sentAt = 0;
  #soon = false;
  /** Results wait until the call that runs has ended, because the state must not be saved with half of its effect. */
  #owed = false;

  /** Calls `savedLate` after a state that had to be waited for. */
  constructor(
    channel: ParentChannel<FromActor>,
    actor: ActorSetup["actor"],
    busy: BusyTime,
    savedLate: () => void,
  ) {
    this.#channel = channel;
    this.#actor = actor;
    this.#busy = busy;
    this.#savedLate = savedLate;
    this.#ended = new EndedCalls(channel.isolation);
  }

  /** From now on the state is sent with the results. */
  saveWith(save: () => unknown): void {
    this.#save = save;
  }

  /** No call may begin: the state is being saved. */
  get isSaving(): boolean {
    return this.#saving;
  }

  /** Where results wait, the milliseconds since some were last sent; null where none waits. */
  sinceSent(now: number): number | null {
    return this.#ended.length === 0 ? null : now - this.#sentAt;
  }

  value(seq: number, value: unknown): void {
    try {
      this.#ended.value(seq, value);
    } catch (error) {
      this.#ended.error(seq, error);
    }
  }

  error(seq: number, error: unknown): void {
    this.#ended.error(seq, error);
  }

  /** Sends after all that can run now has run, and before anything is waited for. */
  flushSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    nextTick(() => {
      this.#soon = false;
      this.flush();
    });
  }

  /** Sends what had to wait for the end of a call. */
  flushOwed(): void {
    if (this.#owed) this.flush();
  }

  /** Sends what there is, with the state if it is time. False when that is still under way. */
  flush(): boolean {
    if (this.#saving) return false;
    const count = this.#ended.length;
    if (count === 0) return true;
    if (this.#save === null) return this.#post(count, null);
    if (this.#busy.running > 0 && this.#actor.concurrency === 1) {
      this.#owed = true;
      return true;
    }
    this.#owed = false;
    this.#unsaved += count;
    if (this.#unsaved < this.#actor.saveEvery) return this.#post(count, null);
    try {
      const state = this.#save();
      if (!isThenable(state)) return this.#postSaved(count, state);
      this.#saving = true;
      state.then(
        (saved) => this.#continueAfterSave(count, saved),
        (error: unknown) => this.#continueAfterSave(count, undefined, error),
      );
      return false;
    } catch (error) {
      return this.#postUnsaved(count, error);
    }
  }

  /** After the promise of `save`. Calls that ended meanwhile may have no effect on what it gave, and need another. */
  #continueAfterSave(count: number, state: unknown, error?: unknown): void {
    this.#saving = false;
    if (error === undefined) this.#postSaved(count, state);
    else this.#postUnsaved(count, error);
    this.flush();
    this.#savedLate();
  }

  #postSaved(count: number, state: unknown): boolean {
    try {
      const saved = pack(state, this.#channel.isolation);
      this.#unsaved = 0;
      return this.#post(count, saved);
    } catch (error) {
      return this.#postUnsaved(count, error);
    }
  }

  #postUnsaved(count: number, error: unknown): boolean {
    this.#ended.fail(count, unsaved(error));
    return this.#post(count, null);
  }

  #post(count: number, saved: Packed | null): boolean {
    const now = monotonicMs();
    this.#sentAt = now;
    this.#ended.post(count, this.#busy.take(now), saved, (message) => this.#channel.post(message));
    return true;
  }
}

/** Calls that have ended, until their results are sent. Methods of arrays may be replaced by the methods of users, so indexes serve. */
export class EndedCalls {
  readonly #isolation: Isolation;
  #seqs: number[] = [];
  #values: unknown[] = [];
  #errors: [at: number, error: RemoteError][] = [];
  #handles: Handle[] = [];

  constructor(isolation: Isolation) {
    this.#isolation = isolation;
  }

  get length(): number {
    return this.#seqs.length;
  }

  /** Throws a PawlError where the value cannot go to where it is sent. */
  value(seq: number, value: unknown): void {
    let data = value;
    if (typeof value === "object" && value !== null) {
      const packed = packResult(value, this.#isolation);
      data = packed.value;
      for (const handle of packed.handles) this.#handles.push(below(this.#values.length, handle));
    }
    this.#seqs[this.#seqs.length] = seq;
    this.#values[this.#values.length] = data;
  }

  error(seq: number, error: unknown): void {
    this.#errors[this.#errors.length] = [this.#values.length, describeError(error)];
    this.#seqs[this.#seqs.length] = seq;
    this.#values[this.#values.length] = undefined;
  }

  /** The first `count` are to fail after all. */
  fail(count: number, error: unknown): void {
    const described = describeError(error);
    this.#errors = this.#errors.filter(([at]) => at >= count);
    this.#handles = this.#handles.filter(({ path }) => indexOf(path) >= count);
    for (let at = 0; at < count; at++) {
      this.#values[at] = undefined;
      this.#errors.push([at, described]);
    }
  }

  /** Sends the first `count`, together with the state. What cannot be sent becomes an error. */
  post(count: number, busyMs: number, saved: Packed | null, post: (message: ActorResults) => void): void {
    const message: ActorResults = {
      type: "results",
      seqs: this.#seqs.splice(0, count),
      values: this.#values.splice(0, count),
      errors: this.#errors.filter(([at]) => at < count),
      handles: this.#handles.filter(({ path }) => indexOf(path) < count),
      busyMs,
      saved,
    };
    this.#errors = this.#errors.flatMap(([at, error]) => (at < count ? [] : [[at - count, error]]));
    this.#handles = this.#handles.flatMap((handle) => {
      const [at, ...rest] = handle.path;
      return Number(at) < count ? [] : [{ ...handle, path: [Number(at) - count, ...rest] }];
    });
    try {
      post(message);
    } catch {
      post(this.#withoutUnsendable(message));
    }
  }

  #withoutUnsendable(message: ActorResults): ActorResults {
    const why = message.saved === null ? null : whyUnsendable(message.saved.value, this.#isolation);
    if (why !== null) {
      const error = describeError(unsaved(`what save returns cannot be sent: ${why}`));
      return {
        ...message,
        values: message.values.map(() => undefined),
        handles: [],
        errors: message.values.map((_, at) => [at, error] as const),
        saved: null,
      };
    }
    const errors = [...message.errors];
    const values = message.values.map((value, at) => {
      const why = whyUnsendable(value, this.#isolation);
      if (why === null) return value;
      errors.push([at, describeError(unsendableResult(why))]);
      return undefined;
    });
    return { ...message, values, errors };
  }
}

function indexOf(path: Handle["path"]): number {
  return Number(path[0]);
}

/** How many calls run, and for how long at least one of them has. */
export class BusyTime {
  running = 0;
  #since = 0;
  #ms = 0;

  begin(now: number): void {
    if (this.running++ === 0) this.#since = now;
  }

  end(now: number): void {
    this.running--;
    if (this.running === 0) this.#ms += now - this.#since;
  }

  /** The milliseconds since it was last asked for them. */
  take(now: number): number {
    if (this.running > 0) {
      this.#ms += now - this.#since;
      this.#since = now;
    }
    const ms = this.#ms;
    this.#ms = 0;
    return ms;
  }
}
