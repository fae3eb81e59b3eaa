import { types } from "node:util";
import { DefaultDeserializer, DefaultSerializer } from "node:v8";
import { PawlError } from "../../errors.ts";
import { assertCloneable } from "../cloneable.ts";
import { sharedMemory } from "./memory.ts";
import { aligned, type Place, Placement, type Segment, viewAt } from "./placement.ts";

/**
 * How a value lies in memory. First a block: the bytes of its typed arrays, one after the other, then everything else
 * of the value, serialised, with a note in place of each typed array. Typed arrays over shared memory stay where they
 * are; those memories come after the block.
 */
export interface Layout {
  /** What the value is by itself: all of the last memory, the view at a place, or what is serialised in the block. */
  readonly form: "memory" | Place | "serialised";
  /** Where in the block the serialised part begins. */
  readonly rest: number;
  /** Bytes of each memory, the block first. */
  readonly lengths: readonly number[];
}

/** A value in shared memory. */
export interface Encoded {
  readonly layout: Layout;
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
export function encode(value: unknown): Encoded {
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
  const placement = new Placement();
  let form: Layout["form"] = "serialised";
  let serialised: Uint8Array = NOTHING;
  if (types.isArrayBufferView(value)) form = placement.place(value);
  else serialised = new Writer(placement).write(value);
  const { bytes: rest, foreign } = placement;
  const block = sharedMemory(rest + serialised.length, WHAT);
  placement.copyInto(block);
  new Uint8Array(block).set(serialised, rest);
  const lengths = [block, ...foreign].map((memory) => memory.byteLength);
  return { layout: { form, rest, lengths }, block, foreign };
}

/** The value again, with views over these memories: as many as the layout has lengths, in the same order. */
export function decode({ form, rest, lengths }: Layout, segments: readonly Segment[]): unknown {
  if (typeof form === "object") return viewAt(form, segments);
  const block = segments[0] as Segment;
  if (form === "memory") return (segments[lengths.length - 1] as Segment).memory;
  const serialised = Buffer.from(block.memory, block.offset + rest, (lengths[0] as number) - rest);
  return new Reader(serialised, segments).read();
}

/** Where each memory begins when they lie in a row, as in a file; the last entry is where they end. */
export function offsetsInRow({ lengths }: Layout): readonly number[] {
  const offsets = [0];
  for (const [index, length] of lengths.entries()) {
    const end = (offsets[index] as number) + length;
    offsets.push(index < lengths.length - 1 ? aligned(end) : end);
  }
  return offsets;
}

const NOTHING = new Uint8Array();

class CloneError extends Error {}

/** V8's serialisation, with places in memory instead of the bytes of typed arrays. */
class Writer extends DefaultSerializer {
  readonly #placement: Placement;

  constructor(placement: Placement) {
    super();
    this.#placement = placement;
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
    const { kind, segment, offset, length } = this.#placement.place(object);
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
    throw uncloneable(cause.message.replace(/\.$/, ""), cause);
  }
}

function uncloneable(why: string, cause?: unknown): PawlError {
  return new PawlError(
    "pool.put-uncloneable",
    `put takes data, such as numbers, texts, typed arrays, and plain objects and arrays of them, but ${why}.`,
    { cause },
  );
}
