import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { threadId } from "node:worker_threads";
import { Counter, Lock, SharedArray } from "../../../src/pool/index.ts";
import { pack, unpack } from "../../../src/pool/transfer/pack.ts";
import { childProcess, thread } from "./worker.ts";

const run = promisify(execFile);

const TIMES = 100_000;

test("no increment of several threads is lost under the lock", async (t) => {
  const lock = new Lock();
  const cell = SharedArray.zeros("float64", 1);
  const workers = [thread(t), thread(t), thread(t), thread(t)];
  await Promise.all(workers.map((worker) => worker.ask("increment", lock, cell, TIMES / 4)));
  assert.equal(cell.get(0), TIMES);
  assert.equal(lock.holder, null);
});

test("threads that block, threads that wait and this one share the lock", async (t) => {
  const lock = new Lock();
  const cell = SharedArray.zeros("float64", 1);
  const done = [
    thread(t).ask("increment", lock, cell, 2_000),
    thread(t).ask("incrementAsync", lock, cell, 2_000),
    thread(t).ask("incrementAsync", lock, cell, 2_000),
  ];
  for (let i = 0; i < 2_000; i++) await lock.runAsync(() => cell.set(cell.get(0) + 1, 0));
  await Promise.all(done);
  assert.equal(cell.get(0), 8_000);
});

test("there is never more than one inside, however they wait", async (t) => {
  const lock = new Lock();
  const inside = new Counter();
  const most = await Promise.all(Array.from({ length: 4 }, () => thread(t).ask("hold", lock, inside, 200)));
  assert.deepEqual([most, inside.value], [[1, 1, 1, 1], 0]);
});

test("async functions of one thread take turns", async () => {
  const lock = new Lock();
  const order: string[] = [];
  const turn = (name: string) =>
    lock.runAsync(async () => {
      order.push(`${name} in`);
      await sleep(2);
      order.push(`${name} out`);
    });
  await Promise.all([turn("a"), turn("b"), turn("c")]);
  for (let i = 0; i < 6; i += 2) assert.equal(order[i]?.[0], order[i + 1]?.[0]);
  assert.equal(order.length, 6);
});

test("waiting for a lock keeps the program alive", async () => {
  const { stdout } = await run(process.execPath, [new URL("./fixtures/waits.ts", import.meta.url).pathname]);
  assert.equal(stdout, "taken\n");
});

test("a guard unlocks once, at the end of its block, unless it was unlocked before", () => {
  const lock = new Lock();
  {
    using _guard = lock.lock();
    assert.equal(lock.holder, threadId);
    assert.equal(lock.tryLock(), null);
  }
  assert.equal(lock.holder, null);
  const old = lock.lock();
  lock.unlock();
  using _again = lock.tryLock();
  old[Symbol.dispose]();
  assert.equal(lock.holder, threadId);
});

test("run unlocks whatever the function does, and passes on what it returns or throws", async () => {
  const lock = new Lock();
  const fail = () => {
    throw new RangeError("no");
  };
  assert.equal(
    lock.run(() => 7),
    7,
  );
  assert.throws(() => lock.run(fail), RangeError);
  await assert.rejects(lock.runAsync(fail), RangeError);
  await assert.rejects(async () => lock.run(async () => 1), { code: "pool.lock-async" });
  assert.equal(lock.holder, null);
});

test("only the thread that holds a lock may unlock it", async (t) => {
  const lock = new Lock();
  const worker = thread(t);
  assert.throws(() => lock.unlock(), {
    name: "PawlError",
    code: "pool.lock-not-held",
    message: /no thread does/,
  });
  await worker.ask("take", lock);
  const holder = (await worker.ask("id")) as number;
  assert.equal(lock.holder, holder);
  const message = new RegExp(`thread ${holder} does`);
  assert.throws(() => lock.unlock(), { code: "pool.lock-not-held", message });
  await worker.ask("letGo", lock);
  assert.equal(lock.holder, null);
});

test("a thread that holds a lock is not let to wait for itself", () => {
  const lock = new Lock();
  using _guard = lock.lock();
  assert.throws(() => lock.lock(), { name: "PawlError", code: "pool.lock-again" });
  const sameLock = unpack(pack(lock, "thread")) as Lock;
  assert.throws(() => sameLock.lock({ timeout: 1000 }), { code: "pool.lock-again" });
});

test("a lock whose holder was killed stays taken, and waiting with a timeout names the holder", async (t) => {
  const lock = new Lock();
  const worker = thread(t);
  const holder = await worker.ask("id");
  await worker.ask("take", lock);
  await worker.kill();
  const timeout = {
    name: "PawlError",
    code: "pool.lock-timeout",
    message: new RegExp(`Thread ${holder} has`),
  };
  assert.throws(() => lock.lock({ timeout: 10 }), timeout);
  await assert.rejects(lock.lockAsync({ timeout: 10 }), timeout);
  await assert.rejects(
    lock.runAsync(() => {}, { timeout: 0 }),
    timeout,
  );
  assert.throws(() => lock.lock({ timeout: Number.NaN }), { code: "argument.duration" });
});

test("a lock that became free while the one that was woken died is noticed by the next", async (t) => {
  const memory = new SharedArrayBuffer(4);
  const lock = new Lock(memory);
  lock.lock();
  const waiting = lock.lockAsync();
  const blocked = thread(t).ask("increment", lock, SharedArray.zeros("float64", 1), 1);
  // Free, and no sleeper is woken.
  Atomics.store(new Int32Array(memory), 0, 0);
  (await waiting)[Symbol.dispose]();
  await blocked;
});

test("a lock does not go to a process", async (t) => {
  await assert.rejects(async () => childProcess(t).ask("take", new Lock()), { code: "pool.shared-process" });
});
