import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { ActorDiedError } from "../errors.ts";

/** The error of a call whose arguments cannot be sent. */
export function unsendable(method: string, error: unknown): unknown {
  if (error instanceof PawlError) return error;
  const sentence = `The arguments of ${method} cannot be sent to the actor (${errorReason(error)}): pass plain data.`;
  return new PawlError("pool.unsendable", sentence, { cause: error });
}

/** The error of a call whose actor cannot be found. */
export function actorGone(name: string): PawlError {
  return new PawlError(
    "pool.actor-gone",
    `The actor ${name} cannot be found: it has ended, or it was made in a worker below this one; a handle works where the actor was made and in the workers of that thread.`,
  );
}

/** The error of a call that is one too many. */
export function tooManyPending(name: string, maxPending: number): PawlError {
  return new PawlError(
    "pool.actor-busy",
    `${name} has ${maxPending.toLocaleString("en")} calls without a result, and takes no more: await some of them, wait for control(handle).room(), or raise maxPending.`,
  );
}

/** The error of calls of an actor that died and could not be started again. */
export function notAgain(name: string, cause: unknown): ActorDiedError {
  const sentence = `The actor ${name} died and cannot begin again: ${errorReason(cause)}.`;
  return new ActorDiedError("pool.actor-died", sentence, { cause });
}

/** The error of the calls of an actor that was ended. */
export function terminated(name: string): PawlError {
  return new PawlError(
    "pool.actor-terminated",
    `The actor ${name} was ended before this call had its result.`,
  );
}

/** The error of calls whose effect would be lost with their worker. */
export function unsaved(why: unknown, cause: unknown = why): PawlError {
  return new PawlError(
    "pool.actor-save",
    `The call has run, but the actor's state could not be saved after it (${errorReason(why)}): fix save, or leave it out.`,
    { cause },
  );
}
