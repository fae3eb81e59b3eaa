import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { Counter, get, Lock, objectStats, put, type Ref, SharedArray } from "../../../src/pool/index.ts";
import { pack, unpack } from "../../../src/pool/transfer/pack.ts";
import { fc } from "../../random.ts";
import { thread } from "./worker.ts";

const views = fc.oneof(
  fc.float64Array(),
  fc.float32Array(),
  fc.int16Array(),
  fc.uint8Array(),
  fc.uint8ClampedArray(),
  fc.bigInt64Array(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  // One that does not begin where its buffer does.
  fc.int32Array({ minLength: 3 }).map((array) => array.subarray(1, -1)),
);

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(undefined, null, true, -0, Number.NaN, 5n),
    fc.double(),
    fc.string(),
    fc.date(),
    views,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
})).value;

test("what is got is what was put, the same each time", () => {
  fc.assert(
    fc.property(values, (value) => {
      using ref = put(value);
      assert.deepEqual(get(ref), value);
      assert.equal(get(ref), get(ref));
    }),
  );
});

test("what is put is a copy, made at once", () => {
  const value = { column: Float64Array.of(1, 2), name: "before" };
  using ref = put(value);
  value.column[0] = 5;
  value.name = "after";
  assert.deepEqual(get(ref), { column: Float64Array.of(1, 2), name: "before" });
});

test("typed arrays of every kind come back as views over shared memory", () => {
  const kinds = [
    new Int8Array(3),
    new Uint8Array(3),
    new Uint8ClampedArray(3),
    new Int16Array(3),
    new Uint16Array(3),
    new Int32Array(3),
    new Uint32Array(3),
    new Float16Array(3),
    new Float32Array(3),
    new Float64Array(3),
    new BigInt64Array(3),
    new BigUint64Array(3),
    new DataView(new ArrayBuffer(3)),
    Buffer.from("abc"),
  ];
  using ref = put(kinds);
  for (const [index, view] of get(ref).entries()) {
    assert.equal(view.constructor, kinds[index]?.constructor);
    assert.ok(view.buffer instanceof SharedArrayBuffer);
  }
  assert.deepEqual(get(ref), kinds);
});

test("an ArrayBuffer comes back as a SharedArrayBuffer, and one of those as itself", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  using copied = put(bytes.buffer);
  assert.ok(get(copied) instanceof SharedArrayBuffer);
  assert.deepEqual([...new Uint8Array(get(copied))], [1, 2, 3]);
  const memory = new SharedArrayBuffer(3);
  using itself = put(memory);
  assert.equal(get(itself), memory);
});

test("memory that is shared already is not copied, wherever it is in the value", () => {
  const memory = new SharedArrayBuffer(32);
  const column = new Float64Array(memory, 8, 2);
  const before = objectStats().bytesInMemory;
  using ref = put({ columns: [column, new Uint8Array(memory)], own: Int8Array.of(7) });
  const got = get(ref);
  assert.equal(got.columns[0]?.buffer, memory);
  assert.equal(got.columns[1]?.buffer, memory);
  column[1] = 4;
  assert.deepEqual([got.columns[0]?.[1], got.own[0]], [4, 7]);
  assert.equal(objectStats().bytesInMemory, before);
});

test("what cannot be put is named", () => {
  const refused = (value: unknown, message: RegExp) =>
    assert.throws(() => put(value), { name: "PawlError", code: "pool.put-uncloneable", message });
  refused(() => 1, /\(\) => 1 could not be cloned/);
  refused({ deep: [Symbol("s")] }, /Symbol\(s\) could not be cloned/);
  refused({ at: [new URL("https://example.org")] }, /unsupported type/);
  refused([[[[[[new AbortController().signal]]]]]], /\[object AbortSignal\] could not be cloned/);
  refused(new Map([["deep", new Lock()]]), /unsupported type/);
  refused({ memory: new SharedArrayBuffer(1) }, /but a typed array over it can/);
  using ref = put(1);
  for (const shareable of [new Lock(), new Counter(), SharedArray.zeros("int8", 1), ref]) {
    assert.throws(() => put({ it: [shareable] }), { name: "PawlError", code: "pool.put-shareable" });
  }
});

test("what is not a ref cannot be got, and a ref cannot be cloned into something that is none", () => {
  for (const value of [undefined, 1, {}]) {
    assert.throws(() => get(value as Ref<unknown>), { name: "PawlError", code: "pool.not-a-ref" });
  }
  assert.throws(() => structuredClone(put(1)), { name: "DataCloneError" });
});

test("a disposed ref is over, and says so", () => {
  const before = objectStats();
  const ref = put([1]);
  get(ref);
  ref.dispose();
  ref.dispose();
  const disposed = { name: "PawlError", code: "pool.ref-disposed" };
  assert.throws(() => get(ref), disposed);
  assert.throws(() => pack(ref, "thread"), disposed);
  assert.throws(() => pack(ref, "process"), disposed);
  const after = objectStats();
  assert.deepEqual([after.refs, after.disposed], [before.refs, before.disposed + 1]);
  assert.equal(after.bytesInMemory, before.bytesInMemory);
});

test("the types say what is shared", () => {
  using ref = put({ column: new Float64Array(1), text: Buffer.from("a"), at: new Date(0), list: [1] });
  const { column, text, at, list } = get(ref);
  const shared: Float64Array<SharedArrayBuffer> = column;
  const bytes: Buffer<SharedArrayBuffer> = text;
  const date: Date = at;
  const numbers: number[] = list;
  assert.deepEqual([shared[0], bytes.length, date.getTime(), numbers], [0, 1, 0, [1]]);
  // @ts-expect-error the column is no longer over an ArrayBuffer
  const _wrong: Float64Array<ArrayBuffer> = column;
});

test("threads read the same memory, and the same object each time", async (t) => {
  using ref = put(new Float64Array(1000).fill(2));
  const [one, other] = [thread(t), thread(t)];
  assert.equal(await one.ask("sum", ref), 2000);
  await one.ask("write", ref, 0, 12);
  assert.deepEqual([await other.ask("sum", ref), get(ref)[0]], [2010, 12]);
  assert.equal(await one.ask("same", ref, ref), true);
  await one.ask("keep", ref);
  assert.equal(await one.ask("sumOfKept"), 2010);
});

test("columns and plain objects reach a thread as they are", async (t) => {
  const table = { names: ["a", "b"], columns: [Float64Array.of(1, 2), { codes: Int32Array.of(3) }], rows: 2 };
  using ref = put(table);
  assert.deepEqual(await thread(t).ask("get", ref), table);
});

test("a ref comes back from a thread as the ref it was", async (t) => {
  using ref = put({ some: "data" });
  assert.equal(await thread(t).ask("back", ref), ref);
  const copy = unpack(pack([ref], "thread")) as unknown[];
  assert.equal(copy[0], ref);
});

test("a ref made in a thread belongs to the main thread once it is there", async (t) => {
  const before = objectStats();
  const worker = thread(t);
  const ref = (await worker.ask("make", 1000, 3)) as Ref<Float64Array>;
  const meanwhile = objectStats();
  assert.equal(meanwhile.refs, before.refs + 1);
  assert.ok(meanwhile.bytesInMemory >= before.bytesInMemory + 8000);
  assert.equal(((await worker.ask("stats")) as typeof before).refs, 0);
  await worker.kill();
  assert.equal(get(ref).length, 1000);
  const other = thread(t);
  assert.equal(await other.ask("sum", ref), 3000);
  await other.ask("keep", ref);
  ref.dispose();
  await assert.rejects(async () => other.ask("sumOfKept"), { code: "pool.ref-disposed" });
});

test("a ref that is disposed of where it was made can be got nowhere", async (t) => {
  const ref = put(new Float64Array(10));
  const worker = thread(t);
  await worker.ask("keep", ref);
  await worker.ask("sumOfKept");
  ref.dispose();
  await assert.rejects(async () => worker.ask("sumOfKept"), { code: "pool.ref-disposed" });
});

test("a thread that disposes of a ref from elsewhere is done with it alone", async (t) => {
  using ref = put(new Float64Array(10).fill(1));
  const worker = thread(t);
  await worker.ask("keep", ref);
  await worker.ask("dispose", ref);
  await assert.rejects(async () => worker.ask("sumOfKept"), { code: "pool.ref-disposed" });
  assert.equal(get(ref)[0], 1);
  assert.equal(await worker.ask("sum", ref), 10);
});

test("the memory of refs that were disposed of is used again, in spite of threads that have seen it", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    new URL("./fixtures/stream.ts", import.meta.url).pathname,
  ]);
  // All of them together are 1,280 MiB.
  assert.ok(Number(stdout) < 640, `${stdout.trim()} MiB`);
});
