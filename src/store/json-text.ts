import { types } from "node:util";
import { PawlError } from "../errors.ts";
import type { Json } from "./contract/value.ts";

/**
 * A value that was turned into JSON once and is stored as it stands, even if the object changes that it was made
 * of. Wherever a store is given a `Json` that it keeps, it takes one of these as well.
 */
export class JsonText {
  readonly text: string;

  /** `text` must be JSON as `JSON.stringify` writes it. */
  constructor(text: string) {
    this.text = text;
  }

  /** Takes a value at this moment; undefined is null. Throws what `toJson` throws. */
  static of(value: unknown): JsonText {
    if (value instanceof JsonText) return value;
    return new JsonText(value === undefined || value === null ? "null" : (toJson(value) ?? "null"));
  }

  /** A copy of the value that belongs to the caller. */
  value(): Json {
    return JSON.parse(this.text);
  }

  /** For a value that this one is part of. */
  toJSON(): Json {
    return this.value();
  }
}

/**
 * The one way from a value of JavaScript to JSON that is stored. `JSON.stringify` makes `{}` of a Map, null of NaN and
 * nothing of a function, silently; this refuses them. An object with a `toJSON` is what that gives, and data of a class
 * without one are its own properties. As in `JSON.stringify`, a property that is undefined is left out and an undefined
 * element is null; undefined where there is no more than that. Throws a TypeError that names the path and the value, such as
 * `orders[2].price is NaN`, and what `toJSON` and getters throw.
 */
export function toJson(value: unknown): string | undefined {
  return isPlain(value, 0) ? JSON.stringify(value) : checkedJson(value);
}

/** How deep the quick check goes. What is deeper, or refers to itself, is left to `JSON.stringify`. */
const QUICK_DEPTH = 64;

/** Whether a value is nothing but what JSON is made of, as most are: this check costs less than a replacer. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || isPlainObject(value, depth);
    default:
      return false;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (depth === QUICK_DEPTH) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    let parts = 0;
    for (const name in value) {
      if (name === "toJSON" || !isPlain((value as Holder)[name], depth + 1)) return false;
      parts++;
    }
    return parts > 0 || isDataOnly(value);
  }
  if (prototype !== Array.prototype) return prototype === JsonText.prototype;
  const list = value as readonly unknown[];
  for (let at = 0; at < list.length; at++) if (!isPlain(list[at], depth + 1)) return false;
  return !("toJSON" in list);
}

type Holder = Readonly<Record<string, unknown>>;

/** An object on the path to a value, and its name in the object before. */
interface PathPart {
  readonly part: object;
  readonly name: string;
}

/** The same as `JSON.stringify`, with a check of each part after its `toJSON`. */
function checkedJson(value: unknown): string | undefined {
  const open: PathPart[] = [];
  return JSON.stringify(value, function (this: object, name: string, part: unknown) {
    while (open.length > 0 && open.at(-1)?.part !== this) open.pop();
    const fault = part === null ? faultOfNull(Reflect.get(this, name)) : faultOf(part);
    if (fault !== null) throw new TypeError(`${pathOf(open, name)} is ${fault}`);
    if (typeof part === "object" && part !== null) open.push({ part, name });
    return part;
  });
}

/** What a value is that JSON has no form for; null where it has one. */
function faultOf(part: unknown): string | null {
  switch (typeof part) {
    case "number":
      return Number.isFinite(part) ? null : String(part);
    case "bigint":
    case "function":
    case "symbol":
      return `a ${typeof part}`;
    case "object":
      return part === null ? null : faultOfObject(part);
    default:
      return null;
  }
}

/** A date that is none gives null by its `toJSON`. */
function faultOfNull(given: unknown): string | null {
  return types.isDate(given) && Number.isNaN(Date.prototype.getTime.call(given)) ? "an invalid Date" : null;
}

function faultOfObject(part: object): string | null {
  if (Array.isArray(part)) return null;
  if (types.isBoxedPrimitive(part)) {
    if (types.isNumberObject(part)) return Number.isFinite(Number(part)) ? null : "an object of NaN";
    return types.isStringObject(part) || types.isBooleanObject(part) ? null : described(part);
  }
  const prototype = Object.getPrototypeOf(part);
  const isOfClass = prototype !== null && Object.getPrototypeOf(prototype) !== null;
  if (Object.keys(part).length === 0) {
    if (!isDataOnly(part)) return described(part);
    return isOfClass ? `${described(part)} without a property that can be seen` : null;
  }
  return !isOfClass || isDataOnly(part) ? null : described(part);
}

/** Whether an object does not say that it is something else: a Map, an error, a stream, and classes that extend them. */
function isDataOnly(value: object): boolean {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** What an object is, by its class: `a Map`. */
function described(part: object): string {
  const { name } = Reflect.get(part, "constructor") ?? {};
  const isName = typeof name === "string" && NAME.test(name) && name.length < SHOWN && name !== "Object";
  const shown = isName ? name : Object.prototype.toString.call(part).slice("[object ".length, -1);
  return `${/^[AEIO]/.test(shown) ? "an" : "a"} ${shown}`;
}

const NAME = /^[\p{L}_$][\p{L}\d_$]*$/u;

/** Most characters of a path, or of a name, that a message repeats. */
const SHOWN = 100;

/** The way to a part, such as `orders[2].price`. */
function pathOf(open: readonly PathPart[], name: string): string {
  const names = [...open.slice(1).map(({ name }) => name), name];
  // The whole value has a holder that was not given: `JSON.stringify` makes it.
  const path = open.map(({ part }, at) => step(part, names[at] ?? "")).join("");
  if (path === "") return "it";
  const shown = path.replace(/^\./, "");
  return shown.length > SHOWN ? `…${shown.slice(-SHOWN)}` : shown;
}

function step(holder: object, name: string): string {
  if (Array.isArray(holder)) return `[${name}]`;
  return NAME.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The value of JSON in a store. Throws the PawlError `store.damaged` where another program wrote something else there. */
export function fromText(text: string | null, what = "A value"): Json {
  try {
    return text === null || text === "null" ? null : (JSON.parse(text) as Json);
  } catch (error) {
    const sentence = `${what} in the store is not JSON, so something other than Pawl has changed it: correct it there.`;
    throw new PawlError("store.damaged", sentence, { cause: error });
  }
}
