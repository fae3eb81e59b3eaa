import { assertOptions } from "../../../arguments.ts";
import { shareableKind } from "../../transfer/pack.ts";
import type { ObjectOptions, ObjectStats } from "./options.ts";
import type { Ref } from "./ref.ts";
import { ObjectStore, REF } from "./store.ts";

const objects = new ObjectStore();

shareableKind(REF, (state: Parameters<ObjectStore["revive"]>[0]) => objects.revive(state));

/**
 * Copies a value into shared memory once, however many calls and workers use it, and returns a ref to it. The value is
 * data: what structured cloning takes.
 *
 * - Typed arrays, anywhere in the value, are read in place by all threads. One that lies in shared memory already is
 *   not copied at all. An ArrayBuffer by itself becomes a SharedArrayBuffer; one inside another value is copied by
 *   every thread.
 * - Everything else is serialised once, and made again once in each worker.
 *
 * Look at a value, do not change it: others see the change or not, and it is lost when the value goes to a file. For
 * results there is SharedArray.
 *
 * Past the quota of `configureObjects`, what was used longest ago goes to a file and comes back when it is got; `put`
 * waits for that file to be written. Values over memory that was shared already are neither counted nor moved. Memory
 * is free again when all threads have let go: a thread that holds a view of it, or a ref in a worker, still has it, and an
 * idle thread lets go only when it collects garbage.
 *
 * A worker process reads the value from a file, in `/dev/shm` if there is plenty of room: it is written once for all
 * of them, and each has a copy of its own.
 *
 * A ref made in a worker can be returned. The main thread becomes its owner then, as the parent does of a ref from a
 * worker process. Another thread, such as a worker with a pool of its own, can use it but does not own it.
 *
 * A ref that has become garbage lets go of its value some time after; `using` or `dispose` do it at once.
 *
 * @throws PawlError `pool.put-uncloneable`, `pool.put-shareable`, `pool.shared-memory`; TransientError `pool.objects-full` when
 * the quota is exceeded and the disk is full
 * @example
 * ```ts
 * using weights = put(new Float64Array([1, 2, 3]));
 * console.log(get(weights)[2]); // 3
 * ```
 */
export function put<T>(value: T): Ref<T> {
  return objects.put(value) as Ref<T>;
}

/**
 * The value of a ref, the same one each time: in any thread in no time, however large it is, unless it has to come
 * from a file.
 *
 * @throws PawlError `pool.ref-disposed`; `pool.ref-lost` where its file cannot be read; `pool.not-a-ref`
 * @example
 * ```ts
 * using ref = put({ name: "Ada", scores: new Float64Array([1, 2]) });
 * console.log(get(ref).scores[1]); // 2
 * ```
 */
export function get<T>(ref: Ref<T>): Shared<T> {
  return objects.get(ref) as Shared<T>;
}

/**
 * Sets how much memory put objects may take, and where they go past it. Each thread and process has a quota of its
 * own, for what it owns and what it reads from files. Objects that are too much now are spilled now.
 *
 * @throws PawlError `argument.size`, `argument.object`; TransientError `pool.objects-full` where they cannot be spilled
 * @example
 * ```ts
 * configureObjects({ memory: "2GB", directory: "/var/tmp" });
 * ```
 */
export function configureObjects(options: ObjectOptions): void {
  assertOptions(options, { memory: true, directory: true }, "configureObjects");
  objects.configure(options);
}

/**
 * The objects of this thread, in numbers.
 *
 * @example
 * ```ts
 * using ref = put("text");
 * console.log(objectStats().refs); // 1
 * ```
 */
export function objectStats(): ObjectStats {
  return objects.stats();
}

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
