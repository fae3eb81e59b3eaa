import { errorReason } from "../../../error-text.ts";
import "../../transfer/handle-kinds.ts";
import { PawlError } from "../../../errors.ts";
import type { Isolation } from "../../transfer/cloneable.ts";
import { type Packed, pack, unpack } from "../../transfer/pack.ts";
import { describeError } from "../../transfer/remote-error.ts";
import type { ActorTarget } from "../handle.ts";
import type { Answer, AnswersMessage, Ask, FromCaller } from "../protocol.ts";
import { ownedActor } from "./actor-registry.ts";
import { RemoteActor } from "./remote-actor.ts";

/**
 * The parent's end: makes the calls that one worker asks for, of actors that this thread owns or, if it is a worker
 * itself, that its parent reaches. In the order in which they come; what the answers find at a dead worker is lost
 * with it.
 */
export class Relay {
  readonly #isolation: Isolation;
  readonly #post: (message: AnswersMessage) => void;
  readonly #controllers = new Map<number, AbortController>();
  #answers: Answer[] = [];

  constructor(isolation: Isolation, post: (message: AnswersMessage) => void) {
    this.#isolation = isolation;
    this.#post = post;
  }

  take(message: FromCaller): void {
    if (message.type === "ask-abort") {
      this.#controllers.get(message.id)?.abort(new DOMException(message.reason, "AbortError"));
      return;
    }
    for (const ask of message.asks) void this.#call(ask);
  }

  async #call(ask: Ask): Promise<void> {
    const { id, method, limit } = ask;
    const controller = ask.abortable ? new AbortController() : null;
    if (controller !== null) this.#controllers.set(id, controller);
    try {
      const args = unpack({ value: ask.args, handles: ask.handles }) as readonly unknown[];
      const value = await targetFor(ask).call(method, args, {
        ...(limit === null ? {} : { timeout: limit }),
        ...(controller === null ? {} : { signal: controller.signal }),
      });
      this.#answer({ id, error: null, ...this.#pack(value) });
    } catch (error) {
      this.#answer({ id, value: undefined, handles: [], error: describeError(error) });
    } finally {
      this.#controllers.delete(id);
    }
  }

  #pack(value: unknown): Packed {
    try {
      return pack(value, this.#isolation);
    } catch (error) {
      throw unpassable(error);
    }
  }

  #answer(answer: Answer): void {
    // Those of one turn in one message.
    if (this.#answers.length === 0) process.nextTick(() => this.#send());
    this.#answers.push(answer);
  }

  #send(): void {
    const answers = this.#answers;
    this.#answers = [];
    try {
      this.#post({ type: "answers", answers });
    } catch {
      for (const answer of answers) this.#sendAlone(answer);
    }
  }

  #sendAlone(answer: Answer): void {
    try {
      this.#post({ type: "answers", answers: [answer] });
    } catch (error) {
      const described = describeError(unpassable(error));
      this.#post({
        type: "answers",
        answers: [{ id: answer.id, value: undefined, handles: [], error: described }],
      });
    }
  }
}

function unpassable(error: unknown): unknown {
  if (error instanceof PawlError) return error;
  const sentence = `The result cannot be passed on to a worker (${errorReason(error)}): return plain data.`;
  return new PawlError("pool.unsendable-result", sentence);
}

function targetFor({ actor, name }: Ask): ActorTarget {
  return (
    ownedActor(actor) ??
    new RemoteActor({ id: actor, name, methods: [], maxPending: Number.POSITIVE_INFINITY })
  );
}
