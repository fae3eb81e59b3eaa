import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dtype, SharedArray } from "../../../src/pool/index.ts";
import { pack, unpack } from "../../../src/pool/transfer/pack.ts";
import { fc } from "../../random.ts";
import { thread } from "./worker.ts";

const DTYPES = [
  "int8",
  "uint8",
  "uint8clamped",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "float16",
  "float32",
  "float64",
  "bigint64",
  "biguint64",
] as const satisfies Dtype[];

const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });

type Nested = (number | Nested)[];

/** The model: 0, 1, 2 … in nested arrays. */
function counted(shape: readonly number[], from = { next: 0 }): Nested {
  const [length = 0, ...inner] = shape;
  return Array.from({ length }, () => (inner.length === 0 ? from.next++ : counted(inner, from)));
}

function arrayOf(shape: readonly number[]): SharedArray<"float64"> {
  const size = shape.reduce((product, length) => product * length, 1);
  return SharedArray.from("float64", Array.from(Array(size).keys()), shape);
}

/** Every way to index a shape. */
function* indicesOf(shape: readonly number[]): Generator<number[]> {
  const [length, ...inner] = shape;
  if (length === undefined) yield [];
  else for (let i = 0; i < length; i++) for (const rest of indicesOf(inner)) yield [i, ...rest];
}

function look(model: Nested, indices: readonly number[]): unknown {
  return indices.reduce<unknown>((level, index) => (level as Nested)[index], model);
}

test("elements are where nested arrays have them", () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const array = arrayOf(shape);
      const model = counted(shape);
      assert.deepEqual(array.toArray(), model);
      assert.deepEqual([...array], (model as unknown[]).flat(Number.POSITIVE_INFINITY));
      assert.deepEqual([...array.data], [...array]);
      assert.equal(array.byteLength, array.size * 8);
      for (const indices of indicesOf(shape)) {
        const expected = look(model, indices) as number;
        assert.equal(array.get(...indices), expected);
        assert.equal(array.at(expected), expected);
        assert.equal(array.at(expected - array.size), expected);
        const place = indices.reduce((sum, index, axis) => sum + index * (array.strides[axis] as number), 0);
        assert.equal(place, expected);
      }
    }),
  );
});

test("writing one element changes that element alone", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (shape, pick) => {
      const array = arrayOf(shape);
      const all = [...indicesOf(shape)];
      if (all.length === 0) return;
      const at = pick % all.length;
      array.set(-1, ...(all[at] as number[]));
      assert.deepEqual(
        [...array],
        all.map((_, place) => (place === at ? -1 : place)),
      );
    }),
  );
});

test("a subarray is a window on the same memory, a slice a copy of it", () => {
  const ends = fc.option(fc.integer({ min: -7, max: 7 }), { nil: undefined });
  fc.assert(
    fc.property(shapes, ends, ends, (shape, start, end) => {
      const array = arrayOf(shape);
      const model = counted(shape).slice(start, end);
      const window = array.subarray(start, end);
      const copy = array.slice(start, end);
      assert.deepEqual(window.toArray(), model);
      assert.deepEqual(copy.toArray(), model);
      assert.deepEqual(window.shape.slice(1), shape.slice(1));
      window.fill(-1);
      assert.deepEqual(copy.toArray(), model);
      assert.equal([...array].filter((each) => each === -1).length, window.size);
    }),
  );
});

test("a reshaped array has the same elements in the same order and memory", () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const array = arrayOf(shape);
      for (const other of [[array.size], [...shape].reverse(), [1, ...shape], [...shape, 1]]) {
        const reshaped = array.reshape(other);
        assert.deepEqual(reshaped.toArray(), counted(other));
        assert.equal(reshaped.data.buffer, array.data.buffer);
      }
    }),
  );
});

test("the parts of a split are the whole in order, do not overlap and differ in length by one at most", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 8 }), (shape, n) => {
      const array = arrayOf(shape);
      const parts = array.split(n);
      assert.equal(parts.length, n);
      assert.deepEqual(
        parts.flatMap((part) => part.toArray()),
        counted(shape),
      );
      const lengths = parts.map((part) => part.shape[0] as number);
      assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1);
      for (const [index, part] of parts.entries()) part.fill(index);
      assert.deepEqual(
        [...array],
        parts.flatMap((part, index) => Array(part.size).fill(index)),
      );
    }),
  );
});

test("every type of element holds what its typed array holds", () => {
  for (const dtype of DTYPES) {
    const big = dtype.startsWith("big");
    const values = big ? [1n, 2n, 3n, 4n] : [1, 2, 3, 4];
    const array = SharedArray.from<Dtype>(dtype, values, [2, 2]);
    assert.deepEqual([...array], values, dtype);
    assert.equal(array.data.constructor.name.toLowerCase(), `${dtype}array`);
    assert.deepEqual([...SharedArray.zeros<Dtype>(dtype, 2)], big ? [0n, 0n] : [0, 0]);
    assert.equal(array.subarray(1).at(0), values[2]);
  }
});

test("the type of element decides between numbers and bigints", () => {
  const numbers: number = SharedArray.zeros("float64", 1).at(0);
  const bigints: bigint = SharedArray.zeros("bigint64", 1).at(0);
  const data: Float32Array<SharedArrayBuffer> = SharedArray.zeros("float32", 1).data;
  assert.deepEqual([numbers, bigints, data.length], [0, 0n, 1]);
  // @ts-expect-error a number is not an element of bigint64
  assert.throws(() => SharedArray.zeros("bigint64", 1).set(1, 0), TypeError);
});

test("values come from any iterable, a typed array or another SharedArray", () => {
  const expected = [1, 2, 3];
  const sources = [
    expected,
    new Set(expected),
    Int8Array.from(expected),
    SharedArray.from("uint16", expected),
  ];
  for (const source of sources) assert.deepEqual([...SharedArray.from("float64", source)], expected);
});

test("a position outside an array is named", () => {
  const array = SharedArray.zeros("int8", [2, 3]);
  const named = (run: () => unknown, message: RegExp) => {
    assert.throws(run, { name: "PawlError", code: "pool.shared-index", message });
  };
  named(() => array.get(2, 0), /Index 2 is outside axis 0 .* from 0 to 1\./);
  named(() => array.set(1, 0, -1), /Index -1 is outside axis 1/);
  named(() => array.get(0.5, 0), /Index 0\.5 is outside axis 0/);
  named(() => array.get(1), /takes 2 indices, not 1/);
  named(() => array.at(6), /no element 6 in a SharedArray of 6 elements/);
  named(() => array.at(-7), /no element -7/);
  named(() => array.subarray(0.5), /0\.5 is not a position/);
  assert.throws(() => array.split(0), { code: "pool.shared-split" });
});

test("a shape or type that cannot be is named", () => {
  const refused = (run: () => unknown, code: string) => assert.throws(run, { name: "PawlError", code });
  for (const shape of [[], [-1], [1.5], -1, [2 ** 30, 2 ** 30]]) {
    refused(() => SharedArray.zeros("int8", shape), "pool.shared-shape");
  }
  refused(() => SharedArray.zeros("int8", 2 ** 52), "pool.shared-memory");
  refused(() => SharedArray.from("int8", [1, 2, 3], [2, 2]), "pool.shared-shape");
  refused(() => SharedArray.zeros("int8", [2, 3]).reshape([4]), "pool.shared-shape");
  refused(() => new SharedArray("float64", 2, new SharedArrayBuffer(16), 4), "pool.shared-shape");
  refused(() => new SharedArray("float64", 2, new SharedArrayBuffer(16), 8), "pool.shared-shape");
  refused(() => SharedArray.zeros("toString" as "int8", 1), "pool.shared-dtype");
});

test("threads write to their parts of one array in place", async (t) => {
  const array = arrayOf([10, 3]);
  const parts = array.subarray(1, 10).split(2);
  const workers = [thread(t), thread(t)];
  await Promise.all(parts.map((part, index) => workers[index]?.ask("square", part)));
  assert.deepEqual(
    [...array],
    Array.from({ length: 30 }, (_, i) => (i < 3 ? i : i * i)),
  );
});

test("a view keeps its shape on the way to a thread and back", async (t) => {
  const view = arrayOf([4, 2, 3]).subarray(1, 3);
  const worker = thread(t);
  assert.deepEqual(await worker.ask("whole", view), [view.shape, view.strides, view.toArray()]);
  const back = (await worker.ask("back", view)) as typeof view;
  back.fill(0);
  assert.ok([...view].every((each) => each === 0));
});

test("an array does not go to a process, and the error says what does", () => {
  const array = SharedArray.zeros("int8", 1);
  assert.throws(() => pack([array], "process"), {
    name: "PawlError",
    code: "pool.shared-process",
    message: /isolate the pool by "thread", or pass put\(array\.data\)/,
  });
  assert.deepEqual(unpack(pack(array, "thread")), array);
});
