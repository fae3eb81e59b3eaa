import type { LimitMs } from "../../options.ts";
import type { Isolation } from "../../transfer/cloneable.ts";
import { packAll, unpack } from "../../transfer/pack.ts";
import { reviveError } from "../../transfer/remote-error.ts";
import { actorGone, unsendable } from "../errors.ts";
import type { AnswersMessage, Ask, FromCaller } from "../protocol.ts";

/** The channel of a worker to its parent, for calls of actors. */
export interface CallChannel {
  readonly isolation: Isolation;
  post(message: FromCaller): void;
}

interface Waiting {
  readonly actor: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

let channel: CallChannel | null = null;
let last = 0;
let asks: Ask[] = [];
const waiting = new Map<number, Waiting>();
/** Calls of each actor that have no answer. */
const pending = new Map<string, number>();

/** Says how this worker reaches its parent. */
export function connectToParent(to: CallChannel): void {
  channel = to;
}

/** How many calls of an actor that this worker made have no answer. */
export function pendingCalls(actor: string): number {
  return pending.get(actor) ?? 0;
}

/** Has the parent make a call, or its parent. */
export function callThroughParent(
  actor: string,
  name: string,
  method: string,
  args: readonly unknown[],
  limit: LimitMs | null,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const to = channel;
  if (to === null) return Promise.reject(actorGone(name));
  if (signal?.aborted) return Promise.reject(signal.reason);
  let packed: ReturnType<typeof packAll>;
  try {
    packed = packAll(args, to.isolation);
  } catch (error) {
    return Promise.reject(unsendable(method, error));
  }
  const id = ++last;
  if (asks.length === 0) queueMicrotask(() => send(to));
  const { value, handles } = packed;
  asks.push({ id, actor, name, method, args: value, handles, limit, abortable: signal !== undefined });
  pending.set(actor, pendingCalls(actor) + 1);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  waiting.set(id, { actor, resolve, reject });
  if (signal === undefined) return promise;
  const abort = () => to.post({ type: "ask-abort", id, reason: String(signal.reason) });
  signal.addEventListener("abort", abort, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

/** Call it with what comes back from the parent. */
export function receiveAnswers({ answers }: AnswersMessage): void {
  for (const { id, value, handles, error } of answers) {
    const call = settled(id);
    if (call === undefined) continue;
    if (error !== null) call.reject(reviveError(error));
    else {
      try {
        call.resolve(unpack({ value, handles }));
      } catch (gone) {
        call.reject(gone);
      }
    }
  }
}

/** The calls of this turn in one message; if one of them cannot be sent, each in its own. */
function send(to: CallChannel): void {
  const gathered = asks;
  asks = [];
  try {
    to.post({ type: "ask", asks: gathered });
  } catch {
    for (const ask of gathered) {
      try {
        to.post({ type: "ask", asks: [ask] });
      } catch (error) {
        settled(ask.id)?.reject(unsendable(ask.method, error));
      }
    }
  }
}

function settled(id: number): Waiting | undefined {
  const call = waiting.get(id);
  if (call === undefined) return undefined;
  waiting.delete(id);
  const left = pendingCalls(call.actor) - 1;
  if (left === 0) pending.delete(call.actor);
  else pending.set(call.actor, left);
  return call;
}
