import { PawlError } from "../../errors.ts";
import { below, type Handle, type Isolation, type Packed } from "../portable.ts";
import { describeError, type RemoteError } from "../worker/remote-error.ts";
import { packResult, unsendableResult } from "../worker/results.ts";
import { whyUnsendable } from "../worker/sendable.ts";
import type { ActorResults } from "./protocol.ts";

/** Calls that have ended, until their results are sent. Methods of arrays may be replaced by the methods of users, so indexes serve. */
export class Ended {
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
    let portable = value;
    if (typeof value === "object" && value !== null) {
      const packed = packResult(value, this.#isolation);
      portable = packed.value;
      for (const handle of packed.handles) this.#handles.push(below(this.#values.length, handle));
    }
    this.#seqs[this.#seqs.length] = seq;
    this.#values[this.#values.length] = portable;
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

/** The error of calls whose effect would be lost with their worker. */
export function unsaved(why: string, cause?: unknown): PawlError {
  return new PawlError(
    "pool.actor-save",
    `The call has run, but the actor's state could not be saved after it (${why.replace(/\.$/, "")}): mend save, or leave it out.`,
    { cause },
  );
}
