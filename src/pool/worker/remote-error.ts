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
  /** What was thrown, where that is no error. */
  readonly thrown?: { readonly value: unknown };
}

/** As deep as causes are followed. */
const DEEPEST = 8;

const builtin: Readonly<Record<string, ErrorConstructor>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Takes an error apart; what cannot be cloned of it becomes text. */
export function describeError(thrown: unknown, depth = DEEPEST): RemoteError {
  if (!(thrown instanceof Error)) {
    return {
      name: "Error",
      message: `${String(thrown)} was thrown, which is no error`,
      stack: null,
      properties: {},
      thrown: { value: cloneable(thrown) },
    };
  }
  const properties: Record<string, unknown> = {};
  for (const key of Object.keys(thrown)) {
    if (key === "cause" || key === "errors" || key === "name" || key === "message" || key === "stack")
      continue;
    properties[key] = cloneable((thrown as unknown as Record<string, unknown>)[key]);
  }
  const described = {
    name: thrown.name,
    message: thrown.message,
    stack: thrown.stack ?? null,
    properties,
  };
  const { cause } = thrown;
  const withCause =
    cause === undefined || depth === 0
      ? {}
      : {
          cause:
            cause instanceof Error ? { error: describeError(cause, depth - 1) } : { value: cloneable(cause) },
        };
  const errors =
    thrown instanceof AggregateError && depth > 0
      ? { errors: thrown.errors.map((each) => describeError(each, depth - 1)) }
      : {};
  return { ...described, ...withCause, ...errors };
}

/**
 * Puts an error together again: of its own type where that is built in, otherwise an Error with its name; with its
 * message, cause and properties, and the stack of the worker.
 */
export function reviveError(remote: RemoteError): unknown {
  if (remote.thrown) return remote.thrown.value;
  const options = remote.cause === undefined ? undefined : { cause: causeOf(remote.cause) };
  const error = remote.errors
    ? new AggregateError(remote.errors.map(reviveError), remote.message, options)
    : new (builtin[remote.name] ?? Error)(remote.message, options);
  if (error.name !== remote.name) define(error, "name", remote.name);
  if (remote.stack !== null) define(error, "stack", remote.stack);
  for (const [key, value] of Object.entries(remote.properties)) {
    Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return error;
}

/** Says which item an error belongs to, as its property `index`, where it can take one. */
export function atIndex(error: unknown, index: number): unknown {
  if (error instanceof Error && Object.isExtensible(error)) define(error, "index", index);
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
    return String(value);
  }
}
