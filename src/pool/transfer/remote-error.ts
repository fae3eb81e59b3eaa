import { isNativeError } from "node:util/types";
import { ItemError, PawlError, TransientError } from "../../errors.ts";
import { retryAfterOfError } from "../../retry-after.ts";
import { ActorDiedError, TimeLimitError } from "../errors.ts";

/** An error on its way from a worker, as plain data. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** A further remote error, or any other value. */
  readonly cause?: { readonly error: RemoteError } | { readonly value: unknown };
  /** Its own further properties, such as `code`. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly errors?: readonly RemoteError[];
  /** It is a DOMException, as aborted signals throw. */
  readonly dom?: boolean;
  /** Which of our own errors it is, by which others decide what to do. */
  readonly own?: keyof typeof own;
  /** What was thrown, where that is not an error. */
  readonly thrown?: { readonly value: unknown };
}

/** As deep as causes are followed. */
const DEEPEST = 8;

const builtin: ReadonlyMap<string, ErrorConstructor> = new Map(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((each) => [each.name, each]),
);

const own = { ItemError, TransientError, TimeLimitError, ActorDiedError, PawlError };

/** As many errors as are taken along with one: causes and parts may refer to each other in a ring. */
const MOST = 100;

/** Takes an error apart; what cannot be cloned of it becomes text. Never throws, whatever was thrown. */
export function describeError(thrown: unknown): RemoteError {
  return describe(thrown, DEEPEST, { left: MOST });
}

function describe(thrown: unknown, depth: number, budget: { left: number }): RemoteError {
  budget.left--;
  try {
    if (!isError(thrown)) return describeOther(thrown);
    const properties = new Map<string, unknown>();
    const parts = thrown instanceof AggregateError && Array.isArray(thrown.errors) ? thrown.errors : null;
    for (const key of Object.keys(thrown)) {
      if (key === "cause" || key === "name" || key === "message" || key === "stack") continue;
      if (key === "errors" && parts !== null) continue;
      properties.set(key, propertyOf(thrown, key));
    }
    // A `Response` or `Headers` cannot be cloned, and the time that the server asked for is in it.
    const askedMs = retryAfterOfError(thrown);
    if (askedMs !== null) properties.set("retryAfter", properties.get("retryAfter") ?? askedMs / 1000);
    const further = depth > 0 && budget.left > 0;
    const stack = propertyOf(thrown, "stack");
    const { cause } = thrown;
    const kind = (Object.keys(own) as (keyof typeof own)[]).find((each) => thrown instanceof own[each]);
    return {
      name: text(propertyOf(thrown, "name")),
      message: text(propertyOf(thrown, "message")),
      stack: typeof stack === "string" ? stack : null,
      properties: Object.fromEntries(properties),
      ...(cause === undefined || !further
        ? {}
        : {
            cause: isError(cause)
              ? { error: describe(cause, depth - 1, budget) }
              : { value: cloneable(cause) },
          }),
      ...(parts !== null && further
        ? { errors: parts.slice(0, budget.left).map((each) => describe(each, depth - 1, budget)) }
        : {}),
      ...(thrown instanceof DOMException ? { dom: true } : {}),
      ...(kind === undefined ? {} : { own: kind }),
    };
  } catch {
    // A getter or a proxy that throws itself.
    const message = "Something was thrown that cannot be looked at";
    return { name: "Error", message, stack: null, properties: {} };
  }
}

function describeOther(thrown: unknown): RemoteError {
  return {
    name: "Error",
    message: `${text(thrown)} was thrown, which is not an error`,
    stack: null,
    properties: {},
    thrown: { value: cloneable(thrown) },
  };
}

/** The description of an error without what cannot be sent of it. */
export function sendableError(remote: RemoteError, canSend: (value: unknown) => boolean): RemoteError {
  const { cause, errors, thrown, ...rest } = remote;
  const properties = Object.fromEntries(
    Object.entries(remote.properties).filter(([, each]) => canSend(each)),
  );
  return {
    ...rest,
    properties,
    ...(cause === undefined ? {} : { cause: sendableCause(cause, canSend) }),
    ...(errors === undefined ? {} : { errors: errors.map((each) => sendableError(each, canSend)) }),
    // What was thrown, and is not an error, is known by its text at least.
    ...(thrown === undefined || !canSend(thrown.value) ? {} : { thrown }),
  };
}

function sendableCause(
  cause: NonNullable<RemoteError["cause"]>,
  canSend: (value: unknown) => boolean,
): NonNullable<RemoteError["cause"]> {
  if ("error" in cause) return { error: sendableError(cause.error, canSend) };
  return { value: canSend(cause.value) ? cause.value : text(cause.value) };
}

/** Errors of other realms too, such as those of `node:vm`. */
function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}

function propertyOf(thrown: Error, key: string): unknown {
  try {
    return cloneable(Reflect.get(thrown, key));
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/**
 * Puts an error together again: of its own type where that is built in or ours, otherwise an Error with its name; with its
 * message, cause and properties, and the stack of the worker.
 */
export function reviveError(remote: RemoteError): unknown {
  if (remote.thrown) return remote.thrown.value;
  const options = remote.cause === undefined ? undefined : { cause: causeOf(remote.cause) };
  const error = remote.dom
    ? domException(remote, options)
    : remote.errors
      ? new AggregateError(remote.errors.map(reviveError), remote.message, options)
      : new (builtin.get(remote.name) ?? Error)(remote.message, options);
  if (remote.own !== undefined) Object.setPrototypeOf(error, own[remote.own].prototype);
  if (error.name !== remote.name) define(error, "name", remote.name);
  if (remote.stack !== null) define(error, "stack", remote.stack);
  for (const [key, value] of Object.entries(remote.properties)) {
    Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return error;
}

/** Why a worker has died of what it threw, for people. Anything may have been thrown. */
export function deathReason(thrown: unknown): string {
  if (!(thrown instanceof Error)) return describeError(thrown).message;
  if ((thrown as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") return "its heap was full";
  return `${thrown.name}: ${thrown.message}`;
}

/** Errors whose `index` was put there here. */
const indexed = new WeakSet<Error>();

/** Says which item an error belongs to, as its property `index`, where it can take one and has none of its own. */
export function atIndex(error: unknown, index: number): unknown {
  try {
    if (!(error instanceof Error) || !Object.isExtensible(error)) return error;
    if ("index" in error && !indexed.has(error)) return error;
    define(error, "index", index);
    indexed.add(error);
  } catch {
    // A proxy that may not be touched.
  }
  return error;
}

/** Its name and message are not properties that could be set later. */
function domException({ name, message }: RemoteError, options?: ErrorOptions): Error {
  const error = new DOMException(message, name) as Error;
  if (options !== undefined) define(error, "cause", options.cause);
  return error;
}

function causeOf(cause: NonNullable<RemoteError["cause"]>): unknown {
  return "error" in cause ? reviveError(cause.error) : cause.value;
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}

function cloneable(value: unknown): unknown {
  if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") return value;
  try {
    return structuredClone(value);
  } catch {
    return text(value);
  }
}
