import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { errorReason } from "../../error-text.ts";
import { TransientError } from "../../errors.ts";
import { pack, privateDirectory } from "../../pool/internal.ts";
import { sizeText } from "../../sizes.ts";

/** A result that is smaller is not worth a file, in bytes. */
const LEAST_SPILLED = 4_096;

/** Once there is too much, this share of the memory may stay taken, so that not every result that follows writes a file. */
const LEFT = 0.75;

/** What a result is estimated by, so that a large one costs no more than a small one. */
const MOST_LOOKED_AT = 2_000;
const MOST_OF_ONE = 64;
const DEEPEST = 16;

/** What stands for a result that lies in a file. */
class Spilled {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

let files = 0;

/** The results that calls still need, by number: in memory, and past a number of bytes in files. */
export class Results {
  readonly #memory: number;
  /** The number of the call that will need a result first; null where it is to stay in memory. */
  readonly #nextUse: (number: number) => number | null;
  readonly #values: unknown[];
  /** Estimated bytes of those in memory that are worth a file. */
  readonly #sizes = new Map<number, number>();
  readonly #unspillable = new Set<number>();
  #held = 0;
  #spills = 0;
  /** Bytes that no file can take over, as far as is known. */
  #relieving: Promise<void> | null = null;
  #stuckAt = 0;

  constructor(count: number, memory: number, nextUse: (number: number) => number | null) {
    this.#values = new Array(count).fill(undefined);
    this.#memory = memory;
    this.#nextUse = nextUse;
  }

  /** How many were written to files so far. */
  get spills(): number {
    return this.#spills;
  }

  /** Whether more is held than may be, and files can take some of it. */
  get isOverfull(): boolean {
    return this.#held > this.#memory && this.#held > this.#stuckAt;
  }

  set(number: number, value: unknown): void {
    this.#values[number] = value;
    const size = sizeOf(value);
    if (size < LEAST_SPILLED) return;
    this.#sizes.set(number, size);
    this.#held += size;
  }

  /** Nothing needs it any more. */
  release(number: number): void {
    const value = this.#values[number];
    this.#values[number] = undefined;
    this.#forget(number);
    // What stays behind goes with the directory, when the program ends.
    if (value instanceof Spilled) rm(value.path, { force: true }).catch(() => {});
  }

  isSpilled(number: number): boolean {
    return this.#values[number] instanceof Spilled;
  }

  get(number: number): unknown {
    return this.#values[number];
  }

  /** From its file. It stays there, since its calls need it at different times. */
  async read(number: number): Promise<unknown> {
    const { path } = this.#values[number] as Spilled;
    return deserialize(await readFile(path));
  }

  /** Writes results to files, those first that are needed last. Throws TransientError("delayed.spill"). */
  async relieve(): Promise<void> {
    this.#relieving ??= this.#relieve().finally(() => {
      this.#relieving = null;
    });
    await this.#relieving;
  }

  /** Removes all files. */
  async close(): Promise<void> {
    await this.#relieving?.catch(() => {});
    for (const [number, value] of this.#values.entries()) if (value instanceof Spilled) this.release(number);
  }

  async #relieve(): Promise<void> {
    const candidates = [...this.#sizes.keys()]
      .filter((number) => !this.#unspillable.has(number))
      .map((number) => ({ number, nextUse: this.#nextUse(number) }))
      .filter((each): each is { number: number; nextUse: number } => each.nextUse !== null)
      .sort((a, b) => b.nextUse - a.nextUse);
    for (const { number } of candidates) {
      if (this.#held <= this.#memory * LEFT) return;
      if (this.#sizes.has(number)) await this.#spill(number);
    }
    if (this.#held > this.#memory) this.#stuckAt = this.#held;
  }

  async #spill(number: number): Promise<void> {
    const value = this.#values[number];
    const bytes = serialized(value);
    if (bytes === null) {
      this.#unspillable.add(number);
      return;
    }
    try {
      const path = join(privateDirectory(tmpdir()), `delayed-${files++}`);
      await writeFile(path, bytes, { flag: "wx", mode: 0o600 });
      if (this.#values[number] === value && this.#sizes.has(number)) {
        this.#values[number] = new Spilled(path);
        this.#forget(number);
        this.#spills++;
      } else await rm(path, { force: true });
    } catch (error) {
      throw new TransientError(
        "delayed.spill",
        `Results that wait take more than ${sizeText(this.#memory)}, and cannot be written to ${tmpdir()} (${errorReason(error)}): free space there, or raise memory.`,
        { cause: error },
      );
    }
  }

  #forget(number: number): void {
    this.#held -= this.#sizes.get(number) ?? 0;
    this.#sizes.delete(number);
  }
}

/** Null for what has handles in it, such as refs, or shared memory: that lies elsewhere already. */
function serialized(value: unknown): Buffer | null {
  try {
    return pack(value, "process").handles.length > 0 ? null : serialize(value);
  } catch {
    return null;
  }
}

/** About how many bytes a value takes in memory. It came out of a clone, so that looking at it runs no code. */
export function sizeOf(value: unknown): number {
  return estimate(value, { left: MOST_LOOKED_AT }, 0);
}

function estimate(value: unknown, budget: { left: number }, depth: number): number {
  if (typeof value === "string") return 16 + 2 * value.length;
  if (typeof value !== "object" || value === null) return 8;
  budget.left--;
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength;
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return 64 + value.byteLength;
  if (depth === DEEPEST || budget.left <= 0) return 64;
  if (Array.isArray(value)) return 32 + 8 * value.length + ofSome(value, value.length, budget, depth);
  if (value instanceof Map) return 64 + 16 * value.size + ofSome(flat(value), 2 * value.size, budget, depth);
  if (value instanceof Set) return 64 + 8 * value.size + ofSome(value, value.size, budget, depth);
  const parts = Object.values(value);
  return 32 + 8 * parts.length + ofSome(parts, parts.length, budget, depth);
}

/** Of the first ones, and as much for each of the others. */
function ofSome(values: Iterable<unknown>, count: number, budget: { left: number }, depth: number): number {
  let looked = 0;
  let bytes = 0;
  for (const each of values) {
    if (looked === MOST_OF_ONE || budget.left <= 0) break;
    looked++;
    if (typeof each === "string" || (typeof each === "object" && each !== null))
      bytes += estimate(each, budget, depth + 1);
  }
  return looked === 0 ? 0 : (bytes / looked) * count;
}

function* flat(map: ReadonlyMap<unknown, unknown>): Generator<unknown> {
  for (const entry of map) yield* entry;
}
