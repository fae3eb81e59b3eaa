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
export const arrayOf: { readonly [D in Dtype]: ArrayConstructor<ElementOf<D>> } = {
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
