import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { markAsUncloneable } from "../../uncloneable.ts";
import type { Isolation } from "../transfer/cloneable.ts";
import { type HandleState, type Shareable, shareableKind, toHandle } from "../transfer/pack.ts";
import { assertStaysInProcess, noteMetMemory, sharedMemory } from "./memory.ts";

const KIND = "shared-array";

/** What crosses to a thread. */
interface State {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
}

/** As many levels of arrays as the SharedArray has axes. */
export type NestedArray<E> = (E | NestedArray<E>)[];

/**
 * Numbers in memory that all threads of this process see: what one writes, the others read. A worker thread gets the
 * array itself and not a copy of it, and so it can write results in position.
 *
 * Elements lie in row-major order without gaps, in views too, so that `data` is always there to loop over. Nothing
 * here waits for other threads: give each its own part (`split`), or use a Lock, or Atomics on `data`.
 *
 * @example
 * ```ts
 * await using pool = new Pool();
 * const array = SharedArray.zeros("float64", [4, 2]);
 * await pool.map((part: SharedArray<"float64">) => void part.fill(7), array.split(2));
 * console.log(array.toArray()); // [ [ 7, 7 ], [ 7, 7 ], [ 7, 7 ], [ 7, 7 ] ]
 * ```
 */
export class SharedArray<D extends Dtype = Dtype> implements Shareable {
  /** The type of the elements, such as `float64`. */
  readonly dtype: D;
  /** Lengths along the axes, the first being the outermost. */
  readonly shape: readonly number[];
  /** How many elements apart neighbours are along each axis. */
  readonly strides: readonly number[];
  /** The elements as a typed array over the shared memory: the fast way, for loops. */
  readonly data: ArrayOf[D];
  readonly #elements: Elements<ElementOf<D>>;

  /**
   * Over memory that is there already. `byteOffset` is a multiple of the element's size.
   *
   * @throws PawlError `pool.shared-dtype`, `pool.shared-shape`, and `pool.shared-memory` for anything but a SharedArrayBuffer
   */
  constructor(dtype: D, shape: ShapeLike, buffer: SharedArrayBuffer, byteOffset = 0) {
    const array = arrayClass(dtype);
    this.dtype = dtype;
    this.shape = shapeFrom(shape);
    this.strides = stridesOf(this.shape);
    const bytes = sizeOf(this.shape) * array.BYTES_PER_ELEMENT;
    if (!(buffer instanceof SharedArrayBuffer)) {
      throw new PawlError(
        "pool.shared-memory",
        `A SharedArray lies over a SharedArrayBuffer, not ${shown(buffer)}: SharedArray.zeros makes one with memory of its own.`,
      );
    }
    if (
      !Number.isSafeInteger(byteOffset) ||
      byteOffset % array.BYTES_PER_ELEMENT !== 0 ||
      byteOffset < 0 ||
      byteOffset + bytes > buffer.byteLength
    ) {
      throw new PawlError(
        "pool.shared-shape",
        `A SharedArray of ${dtype} with the shape ${describeShape(this.shape)} takes ${bytes} bytes from a multiple of ${array.BYTES_PER_ELEMENT} on, and the memory given has ${buffer.byteLength} bytes, of which it should start at ${shown(byteOffset)}.`,
      );
    }
    this.#elements = new array(buffer, byteOffset, sizeOf(this.shape));
    this.data = this.#elements as unknown as ArrayOf[D];
    markAsUncloneable(this);
  }

  /**
   * In memory of its own, all zeros.
   *
   * @throws PawlError `pool.shared-dtype`, `pool.shared-shape`, and `pool.shared-memory` where there is not enough of it
   */
  static zeros<D extends Dtype>(dtype: D, shape: ShapeLike): SharedArray<D> {
    const axes = shapeFrom(shape);
    const bytes = sizeOf(axes) * arrayClass(dtype).BYTES_PER_ELEMENT;
    return new SharedArray(
      dtype,
      axes,
      sharedMemory(bytes, `A SharedArray of the shape ${describeShape(axes)}`),
    );
  }

  /**
   * A copy of the values, in row-major order, in memory of its own; without a shape, along one axis.
   *
   * @throws as `zeros`, and PawlError `pool.shared-shape` when there are more or fewer values than the shape has room for
   * @example
   * ```ts
   * const matrix = SharedArray.from("int32", [1, 2, 3, 4], [2, 2]);
   * console.log(matrix.get(1, 0)); // 3
   * ```
   */
  static from<D extends Dtype>(
    dtype: D,
    values: Iterable<ElementOf<D>> | ArrayLike<ElementOf<D>>,
    shape?: ShapeLike,
  ): SharedArray<D> {
    const source = "length" in values ? values : Array.from(values);
    const array = SharedArray.zeros(dtype, shape ?? source.length);
    if (array.size !== source.length) {
      throw new PawlError(
        "pool.shared-shape",
        `${source.length} values do not fill the shape ${describeShape(array.shape)}, which has ${array.size}.`,
      );
    }
    array.#elements.set(source);
    return array;
  }

  /** How many elements. */
  get size(): number {
    return this.#elements.length;
  }

  /** How many bytes the elements take. */
  get byteLength(): number {
    return this.data.byteLength;
  }

  /**
   * The element at one index for each axis, each from 0.
   *
   * @throws PawlError `pool.shared-index`
   */
  get(...indices: number[]): ElementOf<D> {
    return this.#elements[this.#offset(indices)] as ElementOf<D>;
  }

  /**
   * Puts a value at one index for each axis. It becomes what the element type can hold, as in a typed array.
   *
   * @throws PawlError `pool.shared-index`
   */
  set(value: ElementOf<D>, ...indices: number[]): void {
    this.#elements[this.#offset(indices)] = value;
  }

  /**
   * The element at a position in row-major order; a negative one counts from the end.
   *
   * @throws PawlError `pool.shared-index`
   */
  at(index: number): ElementOf<D> {
    const position = index < 0 ? this.size + index : index;
    if (!Number.isInteger(position) || position < 0 || position >= this.size) {
      throw new PawlError(
        "pool.shared-index",
        `There is no element ${shown(index)} in a SharedArray of ${this.size} elements.`,
      );
    }
    return this.#elements[position] as ElementOf<D>;
  }

  /** The elements in row-major order. */
  [Symbol.iterator](): Iterator<ElementOf<D>> {
    return this.#elements[Symbol.iterator]();
  }

  /**
   * The entries from `start` up to `end` along the first axis, in the same memory. Counts as `Array.slice` does:
   * negative from the end, and what is too far is the end.
   *
   * @throws PawlError `pool.shared-index` for what is not a whole number
   */
  subarray(start = 0, end = this.#length): SharedArray<D> {
    const first = this.#position(start);
    const after = Math.max(first, this.#position(end));
    return this.#view([after - first, ...this.shape.slice(1)], first * this.#stride);
  }

  /** The same as `subarray`, copied into memory of its own. */
  slice(start?: number, end?: number): SharedArray<D> {
    const part = this.subarray(start, end);
    return SharedArray.from(this.dtype, part.#elements, part.shape);
  }

  /**
   * `n` views of near-equal length along the first axis, which together are the whole and do not overlap: one for
   * each worker to write to. Where the axis is shorter than `n`, the last ones are empty.
   *
   * @throws PawlError `pool.shared-split`
   */
  split(n: number): SharedArray<D>[] {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new PawlError(
        "pool.shared-split",
        `A SharedArray cannot be split into ${shown(n)} parts: give a whole number from 1.`,
      );
    }
    const least = Math.floor(this.#length / n);
    const longer = this.#length % n;
    return Array.from({ length: n }, (_, part) => {
      const start = part * least + Math.min(part, longer);
      return this.subarray(start, start + least + (part < longer ? 1 : 0));
    });
  }

  /**
   * The same elements in the same memory, under other axes.
   *
   * @throws PawlError `pool.shared-shape` for a shape with room for more or fewer elements
   */
  reshape(shape: ShapeLike): SharedArray<D> {
    const axes = shapeFrom(shape);
    if (sizeOf(axes) !== this.size) {
      throw new PawlError(
        "pool.shared-shape",
        `A SharedArray of ${this.size} elements cannot take the shape ${describeShape(axes)}, which has ${sizeOf(axes)}.`,
      );
    }
    return this.#view(axes, 0);
  }

  /** Puts the value into each element, and returns the array. */
  fill(value: ElementOf<D>): this {
    this.#elements.fill(value);
    return this;
  }

  /** A copy as ordinary arrays, nested as the axes are. */
  toArray(): NestedArray<ElementOf<D>> {
    const nest = (axis: number, start: number): NestedArray<ElementOf<D>> => {
      const length = this.shape[axis] as number;
      const stride = this.strides[axis] as number;
      return Array.from({ length }, (_, index) => {
        const at = start + index * stride;
        return axis === this.shape.length - 1 ? (this.#elements[at] as ElementOf<D>) : nest(axis + 1, at);
      });
    };
    return nest(0, 0);
  }

  /**
   * How it crosses to a worker.
   *
   * @throws PawlError `pool.shared-process` on the way to a process
   */
  [toHandle](to: Isolation): HandleState {
    assertStaysInProcess(
      to,
      "A SharedArray",
      'isolate the pool by "thread", or pass put(array.data), a copy',
    );
    const { dtype, shape, data } = this;
    const state: State = { dtype, shape, buffer: data.buffer, byteOffset: data.byteOffset };
    return { kind: KIND, state };
  }

  /** Along the first axis. */
  get #length(): number {
    return this.shape[0] as number;
  }

  get #stride(): number {
    return this.strides[0] as number;
  }

  #view(shape: readonly number[], from: number): SharedArray<D> {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.data;
    return new SharedArray(this.dtype, shape, buffer, byteOffset + from * BYTES_PER_ELEMENT);
  }

  #position(index: number): number {
    if (!Number.isInteger(index)) {
      throw new PawlError(
        "pool.shared-index",
        `${shown(index)} is not a position along an axis: give a whole number.`,
      );
    }
    return index < 0 ? Math.max(0, this.#length + index) : Math.min(index, this.#length);
  }

  #offset(indices: readonly number[]): number {
    const { shape } = this;
    if (indices.length !== shape.length) {
      throw new PawlError(
        "pool.shared-index",
        `A SharedArray of the shape ${describeShape(shape)} takes ${shape.length} ${shape.length === 1 ? "index" : "indices"}, not ${indices.length}.`,
      );
    }
    let offset = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      const index = indices[axis] as number;
      const length = shape[axis] as number;
      if (!(Number.isInteger(index) && index >= 0 && index < length)) {
        throw new PawlError(
          "pool.shared-index",
          `Index ${shown(index)} is outside axis ${axis} of a SharedArray of the shape ${describeShape(shape)}: that axis goes from 0 to ${length - 1}.`,
        );
      }
      offset = offset * length + index;
    }
    return offset;
  }
}

shareableKind(KIND, ({ dtype, shape, buffer, byteOffset }: State) => {
  noteMetMemory(buffer);
  return new SharedArray(dtype, shape, buffer, byteOffset);
});

function arrayClass<D extends Dtype>(dtype: D) {
  if (typeof dtype === "string" && Object.hasOwn(arrayOf, dtype)) return arrayOf[dtype];
  throw new PawlError(
    "pool.shared-dtype",
    `A SharedArray cannot hold ${shown(dtype)}: its elements are ${Object.keys(arrayOf).join(", ")}.`,
  );
}

/** The lengths along the axes, the first one being the outermost; a number is one axis. */
export type ShapeLike = number | readonly number[];

/** A shape of at least one axis, frozen. Throws PawlError("pool.shared-shape"). */
function shapeFrom(given: ShapeLike): readonly number[] {
  const shape = typeof given === "number" ? [given] : Array.isArray(given) ? [...given] : [];
  const sound = shape.length > 0 && shape.every((length) => Number.isSafeInteger(length) && length >= 0);
  if (!sound || !Number.isSafeInteger(sizeOf(shape))) {
    throw new PawlError(
      "pool.shared-shape",
      `A SharedArray cannot have the shape ${describeShape(given)}: give a whole number from 0 for each axis, and at least one axis.`,
    );
  }
  return Object.freeze(shape);
}

/** How many elements. */
function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** How many elements lie between neighbours along each axis, in row-major order. */
function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return Object.freeze(strides);
}

function describeShape(shape: unknown): string {
  return Array.isArray(shape) ? `[${shape.join(", ")}]` : shown(shape);
}

/** What the elements of a SharedArray can be, with the typed array that holds them. */
export interface ArrayOf {
  readonly int8: Int8Array<SharedArrayBuffer>;
  readonly uint8: Uint8Array<SharedArrayBuffer>;
  readonly uint8clamped: Uint8ClampedArray<SharedArrayBuffer>;
  readonly int16: Int16Array<SharedArrayBuffer>;
  readonly uint16: Uint16Array<SharedArrayBuffer>;
  readonly int32: Int32Array<SharedArrayBuffer>;
  readonly uint32: Uint32Array<SharedArrayBuffer>;
  readonly float16: Float16Array<SharedArrayBuffer>;
  readonly float32: Float32Array<SharedArrayBuffer>;
  readonly float64: Float64Array<SharedArrayBuffer>;
  readonly bigint64: BigInt64Array<SharedArrayBuffer>;
  readonly biguint64: BigUint64Array<SharedArrayBuffer>;
}

/** The name of an element type of a SharedArray, such as `float64`. */
export type Dtype = keyof ArrayOf;

/** `bigint` for the two of 64 bits, `number` for all others. */
export type ElementOf<D extends Dtype> = ArrayOf[D][number];

/** What all typed arrays have in common, for elements of one type. */
export interface Elements<E> extends Iterable<E> {
  readonly length: number;
  [index: number]: E;
  set(values: ArrayLike<E>, offset?: number): void;
  fill(value: E): unknown;
}

interface ArrayConstructor<E> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): Elements<E>;
}

/** The typed array class of each element type. */
const arrayOf: { readonly [D in Dtype]: ArrayConstructor<ElementOf<D>> } = {
  int8: Int8Array,
  uint8: Uint8Array,
  uint8clamped: Uint8ClampedArray,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
  bigint64: BigInt64Array,
  biguint64: BigUint64Array,
};
