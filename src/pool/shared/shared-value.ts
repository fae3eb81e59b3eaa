interface Views {
  readonly Int8Array: Int8Array<SharedArrayBuffer>;
  readonly Uint8Array: Uint8Array<SharedArrayBuffer>;
  readonly Uint8ClampedArray: Uint8ClampedArray<SharedArrayBuffer>;
  readonly Int16Array: Int16Array<SharedArrayBuffer>;
  readonly Uint16Array: Uint16Array<SharedArrayBuffer>;
  readonly Int32Array: Int32Array<SharedArrayBuffer>;
  readonly Uint32Array: Uint32Array<SharedArrayBuffer>;
  readonly Float16Array: Float16Array<SharedArrayBuffer>;
  readonly Float32Array: Float32Array<SharedArrayBuffer>;
  readonly Float64Array: Float64Array<SharedArrayBuffer>;
  readonly BigInt64Array: BigInt64Array<SharedArrayBuffer>;
  readonly BigUint64Array: BigUint64Array<SharedArrayBuffer>;
  readonly DataView: DataView<SharedArrayBuffer>;
}

type Inside<T> = T extends Buffer
  ? Buffer<SharedArrayBuffer>
  : T extends { readonly [Symbol.toStringTag]: infer Name extends keyof Views }
    ? Views[Name]
    : T extends Date | RegExp | Error | ArrayBufferLike | ((...args: never[]) => unknown)
      ? T
      : T extends ReadonlyMap<infer K, infer V>
        ? Map<K, Inside<V>>
        : T extends ReadonlySet<infer V>
          ? Set<Inside<V>>
          : T extends object
            ? { [K in keyof T]: Inside<T[K]> }
            : T;

/**
 * What `get` gives for what was `put`: the same value, its typed arrays being views over shared memory, and an
 * ArrayBuffer that was put by itself being a SharedArrayBuffer.
 */
export type Shared<T> = 0 extends 1 & T ? T : T extends ArrayBuffer ? SharedArrayBuffer : Inside<T>;
