import { PawlError } from "../../errors.ts";
import { isPlainObject } from "../../plain-object.ts";

/**
 * A key as a value by which a Map finds it: a number, a text, a boolean or nothing is itself; of anything else the text of its parts,
 * behind a mark that makes it no text of the user's. Two keys are equal where their values are, whatever the order of properties.
 */
export class Keyed<V> {
  readonly #simple = new Map<unknown, V>();
  readonly #composed = new Map<string, V>();

  get size(): number {
    return this.#simple.size + this.#composed.size;
  }

  get(key: unknown): V | undefined {
    return isSimple(key) ? this.#simple.get(key) : this.#composed.get(keyText(key));
  }

  set(key: unknown, value: V): void {
    if (isSimple(key)) this.#simple.set(key, value);
    else this.#composed.set(keyText(key), value);
  }

  /** In the order in which keys came, simple ones first. */
  *values(): Generator<V> {
    yield* this.#simple.values();
    yield* this.#composed.values();
  }

  clear(): void {
    this.#simple.clear();
    this.#composed.clear();
  }
}

function isSimple(key: unknown): boolean {
  return key === null || (typeof key !== "object" && typeof key !== "function");
}

/** Deeper keys are a mistake, and would overflow the stack. */
const DEEPEST = 100;

/** A text that is equal for keys that are equal. Throws `bag.key` for what has no value by which it could be one. */
function keyText(key: unknown, depth = 0): string {
  if (typeof key === "string") return JSON.stringify(key);
  if (typeof key === "bigint") return `${key}n`;
  // -0 and 0 are one key, as in a Map.
  if (typeof key === "number") return String(key === 0 ? 0 : key);
  if (key === null || typeof key === "boolean" || key === undefined) return String(key);
  if (typeof key === "object" && depth < DEEPEST) {
    if (Array.isArray(key)) return `[${key.map((part) => keyText(part, depth + 1)).join()}]`;
    if (key instanceof Date) return `Date(${key.getTime()})`;
    if (isPlainObject(key)) {
      const parts = Object.entries(key).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return `{${parts.map(([name, part]) => `${JSON.stringify(name)}:${keyText(part, depth + 1)}`).join()}}`;
    }
  }
  const what =
    typeof key === "object" && depth >= DEEPEST
      ? `nested ${DEEPEST} deep`
      : `a ${typeof key === "object" ? (key.constructor?.name ?? "object") : typeof key}`;
  throw new PawlError(
    "bag.key",
    `A key of a bag is ${what}, which cannot be compared: make it a text, a number, or a list of them.`,
  );
}

/** A number of 32 bits for a key, the same in every worker: FNV-1a over its text, with a last mixing of the bits. */
export function keyHash(key: unknown, seed: number): number {
  const text = typeof key === "string" ? key : keyText(key);
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash);
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain). */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** A number from 0 to 1, without 1, that depends on nothing but what it is given: the same item is drawn whatever worker reads it. */
export function drawn(seed: number, file: number, offset: number, index: number): number {
  let bits = mixed(seed | 0);
  for (const part of [file, offset % 2 ** 32, Math.floor(offset / 2 ** 32), index])
    bits = mixed(bits ^ (part | 0)) + 0x9e3779b9;
  return (mixed(bits) * 2 ** 21 + (mixed(bits ^ 0x5bd1e995) >>> 11)) / 2 ** 53;
}
