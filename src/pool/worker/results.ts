import { errorReason, errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { whyUnsendable } from "../transfer/cloneable.ts";
import { below, type Handle, type Isolation, type Packed, pack } from "../transfer/pack.ts";
import { describeError, type RemoteError, sendableError } from "../transfer/remote-error.ts";
import type { ResultsMessage } from "./protocol.ts";

/** What the results of a batch are sent with. */
export type Circumstances = Pick<ResultsMessage, "ended" | "spentMs" | "last" | "full">;

/** What came out of the items of a batch, until it is sent. */
export class Results {
  readonly #id: number;
  readonly #isolation: Isolation;
  #values: unknown[] = [];
  #errors: [at: number, error: RemoteError][] = [];
  #handles: Handle[] = [];
  /** The index of the first item that was not sent. */
  #from: number;

  /** Of the batch with this number, whose first item has the index `base`. */
  constructor(id: number, base: number, isolation: Isolation) {
    this.#id = id;
    this.#from = base;
    this.#isolation = isolation;
  }

  /** Of the next item. Throws a PawlError where the value cannot go to where it is sent. */
  value(value: unknown): void {
    if (typeof value !== "object" || value === null) {
      this.#values.push(value);
      return;
    }
    const packed = packResult(value, this.#isolation);
    for (const handle of packed.handles) this.#handles.push(below(this.#values.length, handle));
    this.#values.push(packed.value);
  }

  error(error: RemoteError): void {
    this.#errors.push([this.#values.length, error]);
    this.#values.push(undefined);
  }

  /** The next item was passed over. */
  nothing(): void {
    this.#values.push(undefined);
  }

  /** Sends what there is. What cannot be sent becomes an error. */
  post(circumstances: Circumstances, post: (message: ResultsMessage) => void): void {
    const message: ResultsMessage = {
      type: "results",
      id: this.#id,
      from: this.#from,
      values: this.#values,
      handles: this.#handles.length === 0 ? null : this.#handles,
      errors: this.#errors.length === 0 ? null : this.#errors,
      ...circumstances,
    };
    try {
      post(message);
    } catch {
      post(sendable(message, this.#isolation));
    }
    this.#from += this.#values.length;
    this.#values = [];
    if (message.errors !== null) this.#errors = [];
    if (message.handles !== null) this.#handles = [];
  }
}

/** Puts an error in the place of each value that cannot be sent, so that it does not take the others along. */
function sendable(message: ResultsMessage, to: Isolation): ResultsMessage {
  const canSend = (value: unknown) => whyUnsendable(value, to) === null;
  const errors: [number, RemoteError][] = (message.errors ?? []).map(([at, error]) => [
    at,
    canSend(error) ? error : sendableError(error, canSend),
  ]);
  const values = message.values.map((value, at) => {
    const why = whyUnsendable(value, to);
    if (why === null) return value;
    errors.push([at, describeError(unsendableResult(why))]);
    return undefined;
  });
  return { ...message, values, errors };
}

/** Packs what a function returned. Throws a PawlError where it cannot go to where it is sent. */
export function packResult(value: unknown, to: Isolation): Packed {
  try {
    return pack(value, to);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    throw unsendableResult(errorText(error));
  }
}

export function unsendableResult(why: string): PawlError {
  return new PawlError(
    "pool.unsendable-result",
    `The result cannot be sent back from a worker (${errorReason(why)}): return plain data.`,
  );
}
