import { runInNewContext } from "node:vm";

/** Everything that code in the wild throws, and then some. Made again each time: some of it can be used once only. */
export const strangeValues: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  "an empty text": () => "",
  "a text": () => "the disk is full",
  "a NUL": () => "a\0b",
  "half a character": () => "\ud800 and \udc00",
  NaN: () => Number.NaN,
  "minus zero": () => -0,
  "a bigint": () => 2n ** 80n,
  "a symbol": () => Symbol("why"),
  "a function": () => () => "why",
  "a class": () => class Why {},
  "a promise": () => Promise.resolve(1),
  "a plain object": () => ({ code: 7, message: "answered 500" }),
  "a list": () => [new Error("in a list"), Symbol("listed")],
  "no prototype": () => Object.create(null),
  "no prototype, with a message": () => Object.assign(Object.create(null), { message: "bare" }),
  "an invalid date": () => new Date(Number.NaN),
  "a toString that throws": () => ({ toString: throws, [Symbol.toPrimitive]: throws }),
  "a toJSON that throws": () => Object.assign(new Error("has a toJSON"), { toJSON: throws }),
  "a thenable": () => withThen((_: unknown, reject: (error: unknown) => void) => reject("from then")),
  "a thenable that throws": () => withThen(throws),
  "a getter for then that throws": () => withGetter("then"),
  "a revoked proxy": () => revoked({}),
  "a revoked proxy of a function": () => revoked(() => {}),
  "a revoked proxy of an error": () => revoked(new Error("gone")),
  "a revoked proxy of a list": () => revoked([]),
  "a proxy whose every trap throws": () =>
    new Proxy(new Error("inside"), new Proxy({}, { get: () => throws }) as ProxyHandler<Error>),
  "a proxy that answers anything with itself": () => {
    const proxy: object = new Proxy(() => proxy, { get: () => proxy });
    return proxy;
  },
  "a frozen error": () => Object.freeze(new Error("frozen")),
  "an error of another realm": () => runInNewContext("new TypeError('of another realm')"),
  "a DOMException": () => new DOMException("aborted", "AbortError"),
  "an empty message": () => new RangeError(""),
  "a message that is an object": () => Object.assign(new Error("x"), { message: { code: 1 } }),
  "a message that is a symbol": () => Object.assign(new Error("x"), { message: Symbol("m") }),
  "a message that cannot be read": () => Object.defineProperty(new Error("x"), "message", { get: throws }),
  "a stack that cannot be read": () => Object.defineProperty(new Error("x"), "stack", { get: throws }),
  "a stack that is an object": () => Object.assign(new Error("x"), { stack: { deep: 1 } }),
  "a name that is an object": () => Object.assign(new Error(""), { name: {} }),
  "a name that cannot be read": () => Object.defineProperty(new Error(""), "name", { get: throws }),
  "a name of Object.prototype": () => Object.assign(new Error("x"), { name: "toString" }),
  "a name that is a prototype": () => Object.assign(new Error("x"), { name: "__proto__" }),
  "a code that cannot be read": () => Object.defineProperty(new Error("x"), "code", { get: throws }),
  "an index of its own": () => Object.assign(new Error("x"), { index: "mine" }),
  "a constructor that cannot be read": () => Object.defineProperty({}, "constructor", { get: throws }),
  "a tag that cannot be read": () => Object.defineProperty({}, Symbol.toStringTag, { get: throws }),
  "a cause that is itself": () => {
    const error = new Error("ring");
    return Object.assign(error, { cause: error });
  },
  "a ring of causes": () => {
    const first = new Error("first");
    const second = new Error("second", { cause: first });
    return Object.assign(first, { cause: second });
  },
  "causes 10,000 deep": () => {
    let error = new Error("innermost");
    for (let depth = 0; depth < 10_000; depth++) error = new Error("outer", { cause: error });
    return error;
  },
  "parts without a message of the whole": () => new AggregateError([new Error("one"), new Error("two")], ""),
  "parts that are the whole": () => {
    const error = new AggregateError([], "");
    error.errors.push(error, error);
    return error;
  },
  "parts that are a revoked list": () => Object.assign(new AggregateError([], ""), { errors: revoked([]) }),
  "10,000 parts": () =>
    new AggregateError(
      Array.from({ length: 10_000 }, () => new Error("part")),
      "",
    ),
  "a message of 10 MB": () => new Error("x".repeat(10_000_000)),
  "a text of 10 MB with NULs": () => "\0".repeat(10_000_000),
  "an error with 10 MB beside it": () => Object.assign(new Error("heavy"), { body: "x".repeat(10_000_000) }),
  "an error with a function beside it": () => Object.assign(new Error("handy"), { retry: () => {} }),
  "a message full of control characters": () => new Error("\u001b[2J\u001b]0;title\u0007\r\n\u009b"),
  "a message that is a template of SQL": () => new Error(`'; DROP TABLE task; -- {"a",NULL,\\}`),
};

function withThen(then: (...values: never[]) => unknown): object {
  return { then };
}

function withGetter(name: string): object {
  return Object.defineProperty({}, name, { get: throws });
}

function throws(): never {
  throw new Error("nothing of this may be called");
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
