import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { get, type ObjectStats, objectStats, put, type Ref } from "../../../src/pool/index.ts";
import { type Handle, pack } from "../../../src/pool/transfer/pack.ts";
import { childProcess, thread } from "./worker.ts";

const DISPOSED = { code: "pool.ref-disposed" };

/** Where processes read a ref from. */
function fileOf(ref: Ref<unknown>): string {
  const [{ state }] = pack(ref, "process").handles as [Handle];
  return (state as { file: string }).file;
}

test("processes read a ref from one file that no other user can read", async (t) => {
  using ref = put(new Float64Array(1000).fill(2));
  const workers = [childProcess(t), childProcess(t)];
  for (const worker of workers) assert.equal(await worker.ask("sum", ref), 2000);
  const file = fileOf(ref);
  assert.equal(file, fileOf(ref));
  assert.equal(statSync(file).size, ref.bytes);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(file)).mode & 0o777, 0o700);
  assert.equal(objectStats().bytesPublished, ref.bytes);
  assert.equal(await workers[0]?.ask("isShared", ref), true);
  assert.equal(await workers[0]?.ask("same", ref, ref), true);
});

test("columns reach a process, those in shared memory too", async (t) => {
  const shared = new Float64Array(new SharedArrayBuffer(24), 8);
  shared[1] = 4;
  const table = {
    names: ["a"],
    columns: [shared, Int8Array.of(1, 2, 3), Buffer.from("bytes")],
    at: new Date(0),
  };
  const worker = childProcess(t);
  using ref = put(table);
  assert.deepEqual(await worker.ask("get", ref), table);
  using buffer = put(Uint8Array.of(1, 2, 3).buffer);
  assert.equal(await worker.ask("lengthOf", buffer), 3);
  using memory = put(new SharedArrayBuffer(5));
  assert.equal(await worker.ask("lengthOf", memory), 5);
  using nothing = put([new Float64Array(new SharedArrayBuffer(8), 8)]);
  assert.deepEqual(await worker.ask("get", nothing), [new Float64Array(0)]);
});

test("a ref that is disposed of is gone for processes that have got it, and so is its file", async (t) => {
  const ref = put(new Float64Array(10));
  const worker = childProcess(t);
  await worker.ask("keep", ref);
  await worker.ask("sumOfKept");
  assert.equal(((await worker.ask("stats")) as ObjectStats).bytesInMemory, 80);
  const file = fileOf(ref);
  ref.dispose();
  assert.equal(existsSync(file), false);
  await assert.rejects(async () => worker.ask("sumOfKept"), DISPOSED);
  assert.equal(((await worker.ask("stats")) as ObjectStats).bytesInMemory, 0);
});

test("a ref made in a process is this process's own once it is here, and outlives its maker", async (t) => {
  const before = objectStats().refs;
  const maker = childProcess(t);
  const ref = (await maker.ask("make", 1000, 3)) as Ref<Float64Array>;
  assert.equal(objectStats().refs, before + 1);
  await maker.kill();
  const other = childProcess(t);
  assert.equal(await other.ask("sum", ref), 3000);
  assert.equal(get(ref)[999], 3);
  assert.equal(await thread(t).ask("sum", ref), 3000);
  await other.ask("keep", ref);
  const file = fileOf(ref);
  ref.dispose();
  assert.equal(existsSync(file), false);
  await assert.rejects(async () => other.ask("sumOfKept"), DISPOSED);
});

test("a process can give the same ref back twice, and a ref it was given", async (t) => {
  using given = put({ some: "data" });
  const worker = childProcess(t);
  assert.equal(await worker.ask("back", given), given);
  await worker.ask("makeAndKeep", 10, 1);
  using once = (await worker.ask("kept")) as Ref<Float64Array>;
  assert.equal(await worker.ask("kept"), once);
  assert.equal(get(once)[9], 1);
});

test("a process keeps what it gave away, when it has no room for it too", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "pawl-quota-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const worker = childProcess(t);
  await worker.ask("makeAndKeep", 10, 1);
  using kept = (await worker.ask("kept")) as Ref<Float64Array>;
  using other = (await worker.ask("makeAndSpill", directory)) as Ref<Float64Array>;
  assert.equal(await worker.ask("sumOfKept"), 10);
  assert.deepEqual([get(kept).length, get(other).length], [10, 1000]);
});
