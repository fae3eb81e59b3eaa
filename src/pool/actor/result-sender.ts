import { isThenable } from "../../thenable.ts";
import { type Packed, pack } from "../portable.ts";
import type { Line } from "../worker/line.ts";
import { monotonicMs } from "../worker/marker.ts";
import type { Busy } from "./busy.ts";
import { Ended, unsaved } from "./ended.ts";
import type { ActorSetup, FromActor } from "./protocol.ts";

/** Taken before the methods of users can replace it. */
const nextTick = process.nextTick.bind(process);

/** Sends the results of calls, together with the object's state when it is time to save it. */
export class ResultSender {
  readonly #line: Line<FromActor>;
  readonly #actor: ActorSetup["actor"];
  readonly #busy: Busy;
  readonly #savedLate: () => void;
  readonly #ended: Ended;
  /** Gives the state; null where it is not saved. */
  #save: (() => unknown) | null = null;
  /** The promise of a state is waited for: no call may begin. */
  #saving = false;
  /** Results that were sent since the state was. */
  #unsaved = 0;
  #sentAt = 0;
  #soon = false;
  /** Results wait for the call that runs, so that no half of its effect is saved with them. */
  #owed = false;

  /** Calls `savedLate` after a state that had to be waited for. */
  constructor(line: Line<FromActor>, actor: ActorSetup["actor"], busy: Busy, savedLate: () => void) {
    this.#line = line;
    this.#actor = actor;
    this.#busy = busy;
    this.#savedLate = savedLate;
    this.#ended = new Ended(line.isolation);
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

  /** Sends what there is, with the state if it is time. False when that goes on by itself. */
  flush(): boolean {
    if (this.#saving) return false;
    const count = this.#ended.length;
    if (count === 0) return true;
    if (this.#save === null) return this.#post(count, null);
    if (this.#busy.running > 0 && this.#actor.maxConcurrency === 1) {
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
    this.flush();
    this.#savedLate();
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
    this.#sentAt = now;
    this.#ended.post(count, this.#busy.take(now), saved, (message) => this.#line.post(message));
    return true;
  }
}
