import { types } from "node:util";
import { DefaultDeserializer, DefaultSerializer } from "node:v8";
import { errorReason } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { assertCloneable } from "../../transfer/cloneable.ts";
import { sharedMemory } from "../memory.ts";

/**
 * How a value lies in memory. First a block: the bytes of its typed arrays, one after the other, then everything else
 * of the value, serialised, with a note in place of each typed array. Typed arrays over shared memory stay where they
 * are; those memories come after the block.
 */
export interface ValueLayout {
  /** What the value is by itself: all of the last memory, the view at a location, or what is serialised in the block. */
  readonly form: "memory" | ViewLocation | "serialised";
  /** Where in the block the serialised part begins. */
  readonly rest: number;
  /** Bytes of each memory, the block first. */
  readonly lengths: readonly number[];
}

/** A value in shared memory. */
export interface EncodedValue {
  readonly layout: ValueLayout;
  /** Made for this value. */
  readonly block: SharedArrayBuffer;
  /** What the value brought with it. */
  readonly foreign: readonly SharedArrayBuffer[];
}

const WHAT = "The value to put";

/**
 * Copies a value into shared memory, except for what lies in shared memory already. Throws
 * PawlError("pool.put-uncloneable"), PawlError("pool.shared-memory"), and what getters of the value throw.
 */
export function encode(value: unknown): EncodedValue {
  assertData(value);
  if (types.isSharedArrayBuffer(value)) {
    const lengths = [0, value.byteLength];
    return { layout: { form: "memory", rest: 0, lengths }, block: sharedMemory(0, WHAT), foreign: [value] };
  }
  if (types.isArrayBuffer(value)) {
    const block = sharedMemory(value.byteLength, WHAT);
    new Uint8Array(block).set(new Uint8Array(value));
    return { layout: { form: "memory", rest: 0, lengths: [value.byteLength] }, block, foreign: [] };
  }
  const allocator = new ViewAllocator();
  let form: ValueLayout["form"] = "serialised";
  let serialised: Uint8Array = NOTHING;
  if (types.isArrayBufferView(value)) form = allocator.locate(value);
  else serialised = new Writer(allocator).write(value);
  const { bytes: rest, foreign } = allocator;
  const block = sharedMemory(rest + serialised.length, WHAT);
  allocator.copyInto(block);
  new Uint8Array(block).set(serialised, rest);
  const lengths = [block, ...foreign].map((memory) => memory.byteLength);
  return { layout: { form, rest, lengths }, block, foreign };
}

/** The value again, with views over these memories: as many as the layout has lengths, in the same order. */
export function decode({ form, rest, lengths }: ValueLayout, segments: readonly Segment[]): unknown {
  if (typeof form === "object") return viewAt(form, segments);
  const block = segments[0] as Segment;
  if (form === "memory") return (segments[lengths.length - 1] as Segment).memory;
  const serialised = Buffer.from(block.memory, block.offset + rest, (lengths[0] as number) - rest);
  return new Reader(serialised, segments).read();
}

/** Where each memory begins when they lie in a row, as in a file; the last entry is where they end. */
export function offsetsInRow({ lengths }: ValueLayout): readonly number[] {
  const offsets = [0];
  for (const [index, length] of lengths.entries()) {
    const end = (offsets[index] as number) + length;
    offsets.push(index < lengths.length - 1 ? aligned(end) : end);
  }
  return offsets;
}

const NOTHING = new Uint8Array();

class CloneError extends Error {}

/** V8's serialisation, with locations in memory instead of the bytes of typed arrays. */
class Writer extends DefaultSerializer {
  readonly #allocator: ViewAllocator;

  constructor(allocator: ViewAllocator) {
    super();
    this.#allocator = allocator;
  }

  write(value: unknown): Uint8Array {
    this.writeHeader();
    try {
      this.writeValue(value);
    } catch (cause) {
      if (!(cause instanceof CloneError)) throw cause;
      throw uncloneable(cause.message, cause);
    }
    return this.releaseBuffer();
  }

  /** What is thrown for a value that V8 cannot serialise. */
  protected _getDataCloneError(message: string): Error {
    return new CloneError(message);
  }

  protected _writeHostObject(object: object): void {
    if (!types.isArrayBufferView(object)) throw uncloneable(`${object.constructor?.name} cannot be copied`);
    const { kind, segment, offset, length } = this.#allocator.locate(object);
    this.writeUint32(kind);
    this.writeUint32(segment);
    this.writeDouble(offset);
    this.writeDouble(length);
  }

  protected _getSharedArrayBufferId(): never {
    throw uncloneable(
      "a SharedArrayBuffer inside another value cannot be shared, but a typed array over it can",
    );
  }
}

class Reader extends DefaultDeserializer {
  readonly #segments: readonly Segment[];

  constructor(serialised: Buffer, segments: readonly Segment[]) {
    super(serialised);
    this.#segments = segments;
  }

  read(): unknown {
    this.readHeader();
    return this.readValue();
  }

  protected _readHostObject(): object {
    const kind = this.readUint32();
    const segment = this.readUint32();
    const offset = this.readDouble();
    const length = this.readDouble();
    return viewAt({ kind, segment, offset, length }, this.#segments);
  }
}

/** V8's serialisation would make an empty object of a URL or a SharedArray without a word. */
function assertData(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  try {
    assertCloneable(value, "process");
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    throw uncloneable(errorReason(cause), cause);
  }
}

function uncloneable(why: string, cause?: unknown): PawlError {
  return new PawlError(
    "pool.put-uncloneable",
    `put takes data, such as numbers, texts, typed arrays, and plain objects and arrays of them, but ${why}.`,
    { cause },
  );
}

/** Where a typed array lies in the memories of a value. */
export interface ViewLocation {
  readonly kind: number;
  /** Which memory: 0 for the block. */
  readonly segment: number;
  /** In bytes. */
  readonly offset: number;
  /** In elements. */
  readonly length: number;
}

/** Where one of the memories begins. */
export interface Segment {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
}

/** No element of a typed array is larger. */
const ALIGNMENT = 8;

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

/** Finds room for the typed arrays of a value. What lies in shared memory already stays there. */
class ViewAllocator {
  readonly #copied: { readonly view: NodeJS.ArrayBufferView; readonly offset: number }[] = [];
  /** The memories that the value brought with it. */
  readonly foreign: SharedArrayBuffer[] = [];
  /** Bytes of the block for what is to be copied. */
  bytes = 0;

  locate(view: NodeJS.ArrayBufferView): ViewLocation {
    const { buffer } = view;
    const shared = types.isSharedArrayBuffer(buffer);
    return {
      kind: viewKind(view),
      segment: shared ? 1 + this.#foreignIndex(buffer) : 0,
      offset: shared ? view.byteOffset : this.#reserve(view),
      length: viewLength(view),
    };
  }

  copyInto(block: SharedArrayBuffer): void {
    const bytes = new Uint8Array(block);
    for (const { view, offset } of this.#copied) {
      bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), offset);
    }
  }

  #foreignIndex(memory: SharedArrayBuffer): number {
    const known = this.foreign.indexOf(memory);
    return known >= 0 ? known : this.foreign.push(memory) - 1;
  }

  #reserve(view: NodeJS.ArrayBufferView): number {
    const offset = this.bytes;
    this.#copied.push({ view, offset });
    this.bytes = aligned(offset + view.byteLength);
    return offset;
  }
}

/** The view at a location in these memories. */
function viewAt({ kind, segment, offset, length }: ViewLocation, segments: readonly Segment[]): object {
  const from = segments[segment];
  if (from === undefined) throw new TypeError("An encoded value lacks one of its memories.");
  return makeView(kind, from.memory, from.offset + offset, length);
}

type View = NodeJS.ArrayBufferView<ArrayBufferLike>;

type Make = (memory: SharedArrayBuffer, byteOffset: number, length: number) => View;

/** Each kind of view, under the number that stands for it in encoded values. */
const kinds: readonly (readonly [name: string, make: Make])[] = [
  ["Int8Array", (memory, offset, length) => new Int8Array(memory, offset, length)],
  ["Uint8Array", (memory, offset, length) => new Uint8Array(memory, offset, length)],
  ["Uint8ClampedArray", (memory, offset, length) => new Uint8ClampedArray(memory, offset, length)],
  ["Int16Array", (memory, offset, length) => new Int16Array(memory, offset, length)],
  ["Uint16Array", (memory, offset, length) => new Uint16Array(memory, offset, length)],
  ["Int32Array", (memory, offset, length) => new Int32Array(memory, offset, length)],
  ["Uint32Array", (memory, offset, length) => new Uint32Array(memory, offset, length)],
  ["Float16Array", (memory, offset, length) => new Float16Array(memory, offset, length)],
  ["Float32Array", (memory, offset, length) => new Float32Array(memory, offset, length)],
  ["Float64Array", (memory, offset, length) => new Float64Array(memory, offset, length)],
  ["BigInt64Array", (memory, offset, length) => new BigInt64Array(memory, offset, length)],
  ["BigUint64Array", (memory, offset, length) => new BigUint64Array(memory, offset, length)],
  ["DataView", (memory, offset, length) => new DataView(memory, offset, length)],
  ["Buffer", (memory, offset, length) => Buffer.from(memory, offset, length)],
];

const numbers = new Map(kinds.map(([name], number) => [name, number]));

/** What kind of view it is; of a subclass, the kind it is built on. */
function viewKind(view: View): number {
  const name = Buffer.isBuffer(view) ? "Buffer" : Object.prototype.toString.call(view).slice(8, -1);
  const number = numbers.get(name);
  if (number === undefined) throw new TypeError(`A view of the kind ${name} is unknown.`);
  return number;
}

/** How many elements; of a DataView, how many bytes. */
function viewLength(view: View): number {
  return "length" in view ? (view.length as number) : view.byteLength;
}

/** A view of a kind over shared memory. */
function makeView(kind: number, memory: SharedArrayBuffer, byteOffset: number, length: number): View {
  const make = kinds[kind]?.[1];
  if (make === undefined) throw new TypeError(`There is no kind ${kind} of view.`);
  return make(memory, byteOffset, length);
}
