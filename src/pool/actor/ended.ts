import { PawlError } from "../../errors.ts";
import { type Isolation, pack } from "../portable.ts";
import { describeError, type RemoteError } from "../worker/remote-error.ts";
import { whyUnsendable } from "../worker/sendable.ts";
import type { ActorResults, Packed } from "./protocol.ts";

/** Calls that have ended, until their results are sent. */
export class Ended {
  readonly #isolation: Isolation;
  #seqs: number[] = [];
  #values: unknown[] = [];
  #errors: [at: number, error: RemoteError][] = [];
  #packed = false;

  constructor(isolation: Isolation) {
    this.#isolation = isolation;
  }

  get length(): number {
    return this.#seqs.length;
  }

  /** Throws where a handle in the value cannot go to where it is sent. */
  value(seq: number, value: unknown): void {
    let portable = value;
    if (typeof value === "object" && value !== null) {
      const packed = pack(value, this.#isolation);
      portable = packed.value;
      if (packed.packed) this.#packed = true;
    }
    this.#seqs.push(seq);
    this.#values.push(portable);
  }

  error(seq: number, error: unknown): void {
    this.#errors.push([this.#values.length, describeError(error)]);
    this.#seqs.push(seq);
    this.#values.push(undefined);
  }

  /** The first `count` are to fail after all. */
  fail(count: number, error: unknown): void {
    const described = describeError(error);
    this.#errors = this.#errors.filter(([at]) => at >= count);
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
      packed: this.#packed,
      busyMs,
      saved,
    };
    this.#errors = this.#errors.flatMap(([at, error]) => (at < count ? [] : [[at - count, error]]));
    if (this.#seqs.length === 0) this.#packed = false;
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
        errors: message.values.map((_, at) => [at, error] as const),
        saved: null,
      };
    }
    const errors = [...message.errors];
    const values = message.values.map((value, at) => {
      const why = whyUnsendable(value, this.#isolation);
      if (why === null) return value;
      const sentence = `The result cannot be sent back from a worker (${why}): return plain data.`;
      errors.push([at, describeError(new PawlError("pool.unsendable-result", sentence))]);
      return undefined;
    });
    return { ...message, values, errors };
  }
}

/** The error of calls whose effect would be lost with their worker. */
export function unsaved(why: string, cause?: unknown): PawlError {
  return new PawlError(
    "pool.actor-save",
    `The call has run, but the actor's state could not be saved after it (${why.replace(/\.$/, "")}): mend save, or leave it out.`,
    { cause },
  );
}
