import { PawlError } from "../../errors.ts";
import { type Isolation, pack } from "../portable.ts";
import type { ResultsMessage } from "./protocol.ts";
import { describeError, type RemoteError, sendableError } from "./remote-error.ts";
import { whyUnsendable } from "./sendable.ts";

/** What the results of a batch are sent with. */
export type Circumstances = Pick<ResultsMessage, "spentMs" | "last" | "full">;

/** What came out of the items of a batch, until it is sent. */
export class Results {
  readonly #id: number;
  readonly #isolation: Isolation;
  #values: unknown[] = [];
  #errors: [at: number, error: RemoteError][] = [];
  #packed = false;
  /** The index of the first item that was not sent. */
  #from: number;

  /** Of the batch with this number, whose first item has the index `base`. */
  constructor(id: number, base: number, isolation: Isolation) {
    this.#id = id;
    this.#from = base;
    this.#isolation = isolation;
  }

  /** Of the next item. Throws where a handle in the value cannot go to where it is sent. */
  value(value: unknown): void {
    if (typeof value !== "object" || value === null) {
      this.#values.push(value);
      return;
    }
    const { value: portable, packed } = pack(value, this.#isolation);
    if (packed) this.#packed = true;
    this.#values.push(portable);
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
      packed: this.#packed,
      errors: this.#errors,
      ...circumstances,
    };
    try {
      post(message);
    } catch {
      post(sendable(message, this.#isolation));
    }
    this.#from += this.#values.length;
    this.#values = [];
    this.#errors = [];
    this.#packed = false;
  }
}

/** Puts an error in the place of each value that cannot be sent, so that it does not take the others along. */
function sendable(message: ResultsMessage, to: Isolation): ResultsMessage {
  const canSend = (value: unknown) => whyUnsendable(value, to) === null;
  const errors: [number, RemoteError][] = message.errors.map(([at, error]) => [
    at,
    canSend(error) ? error : sendableError(error, canSend),
  ]);
  const values = message.values.map((value, at) => {
    const why = whyUnsendable(value, to);
    if (why === null) return value;
    const sentence = `The result cannot be sent back from a worker (${why}): return plain data.`;
    errors.push([at, describeError(new PawlError("pool.unsendable-result", sentence))]);
    return undefined;
  });
  return { ...message, values, errors };
}
