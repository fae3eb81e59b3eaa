import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Isolation, Pool } from "../../src/pool/index.ts";
import { add, double, spin, stuck } from "./fixtures/tasks.ts";
import { initNever } from "./fixtures/trouble.ts";

const program = join(import.meta.dirname, "fixtures", "ending-program.ts");

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended but whose end was not noticed is there only by name.
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Resolves once none of them is there. */
async function allGone(pids: readonly number[]): Promise<void> {
  for (let looks = 0; pids.some(isThere); looks++) {
    assert.ok(looks < 1_500, `${pids.filter(isThere)} did not end`);
    await sleep(20);
  }
}

/** Starts the program, and resolves with the pids of its two workers once they are busy for ever. */
async function busyProgram(...args: string[]): Promise<{ child: ChildProcess; pids: number[] }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "ignore"] });
  const pids: number[] = [];
  let text = "";
  for await (const piece of child.stdout.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += piece;
    pids.splice(0, Infinity, ...text.split("\n").slice(0, -1).map(Number));
    if (pids.length === 2) break;
  }
  assert.equal(pids.length, 2, text);
  return { child, pids };
}

suite("the end of a program leaves no process behind", () => {
  for (const [busy, signals] of [
    ["loop", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"]],
    ["native", ["SIGINT", "SIGKILL"]],
  ] as const) {
    for (const signal of signals) {
      test(`by ${signal} while its processes are busy (${busy})`, async () => {
        const { child, pids } = await busyProgram("stay", busy);
        const exited = once(child, "exit");
        child.kill(signal);
        assert.deepEqual(await exited, [null, signal]);
        await allGone(pids);
      });
    }
  }

  for (const [how, code] of [
    ["exit", 4],
    ["throw", 1],
    ["terminate", 0],
    ["using", 0],
  ] as const) {
    test(`without a signal (${how}) while its processes are busy`, async () => {
      const { child, pids } = await busyProgram(how, "loop");
      child.stdin?.write("go\n");
      if (child.exitCode === null) await once(child, "exit");
      assert.equal(child.exitCode, code);
      await allGone(pids);
    });
  }

  test("nor does the end of a thread that had a pool", async () => {
    const { child, pids } = await busyProgram("thread", "loop");
    const exited = once(child, "exit");
    child.stdin?.write("go\n");
    await allGone(pids);
    // The program is there until it is told to go: its thread's end was enough.
    assert.equal(child.exitCode, null);
    child.kill();
    await exited;
  });

  test("and who listens to a signal decides what it does", async () => {
    const { child, pids } = await busyProgram("listen", "loop");
    const exited = once(child, "exit");
    child.kill("SIGINT");
    assert.deepEqual(await exited, [7, null]);
    await allGone(pids);
  });
});

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`the end of a pool (${isolate})`, () => {
    test("comes whatever its workers are doing", async () => {
      for (const end of ["close", "terminate", Symbol.asyncDispose] as const) {
        const unused = new Pool({ workers: 2, isolate });
        await unused[end]();
        const idle = new Pool({ workers: 2, isolate });
        await idle.map(double, [1, 2, 3], { chunkSize: 1 });
        await idle[end]();
        // Once more is not too often.
        await Promise.all([idle.close(), idle.terminate(), idle[Symbol.asyncDispose]()]);
      }
      for (const end of ["terminate", Symbol.asyncDispose] as const) {
        const starting = new Pool({ workers: 2, isolate });
        const begun = starting.submit(add, 1, 1);
        await starting[end]();
        await assert.rejects(begun.result(), { code: "pool.terminated" });
        const beginning = new Pool({ workers: 1, isolate, init: initNever });
        const never = beginning.submit(add, 1, 1);
        await sleep(100);
        await beginning[end]();
        await assert.rejects(never.result(), { code: "pool.terminated" });
        const busy = new Pool({ workers: 2, isolate });
        const map = busy.map(stuck, [-1, -1, -1], { chunkSize: 1 });
        const submitted = busy.submit(stuck, -1);
        const streamed = busy.imap(stuck, [-1], { chunkSize: 1 }).next();
        const ends = [map, submitted.result(), streamed].map((one) =>
          assert.rejects(one, { code: "pool.terminated" }),
        );
        await sleep(100);
        await busy[end]();
        await Promise.all(ends);
      }
    });

    test("that is closed waits for all that was begun, and takes no more", async () => {
      const pool = new Pool({ workers: 2, isolate });
      const map = pool.map(double, lazily(20), { chunkSize: 2 });
      const stream = pool.imap(double, lazily(20), { chunkSize: 2 });
      assert.deepEqual(await stream.next(), { value: 0, done: false });
      const future = pool.submit(spin, 50);
      let closed = false;
      const closing = pool.close().then(() => {
        closed = true;
      });
      await assert.rejects(pool.map(double, [1]), { code: "pool.closed" });
      await assert.rejects(pool.imap(double, [1]).next(), { code: "pool.closed" });
      assert.throws(() => pool.submit(double, 1), { code: "pool.closed" });
      assert.equal(await future.result(), 50);
      assert.equal((await map).length, 20);
      assert.equal(closed, false);
      let rest = 0;
      for await (const _ of stream) rest++;
      assert.equal(rest, 19);
      await closing;
    });

    test("that is closed waits for what stays in this thread, too", async () => {
      const pool = new Pool({ workers: 2, isolate });
      const map = pool.map(
        async (x: number) => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return x;
        },
        Array.from({ length: 30 }, (_, n) => n),
      );
      await pool.close();
      assert.equal((await map).length, 30);
    });

    test("ends a call that waits for its function or its source in this thread", async () => {
      const never = new Promise<never>(() => {});
      async function* source() {
        yield 1;
        await never;
      }
      for (const stop of ["terminate", "signal"]) {
        await using pool = new Pool({ workers: 1, isolate });
        const controller = new AbortController();
        const { signal } = controller;
        const stream = pool.imap(double, source(), { signal });
        assert.deepEqual(await stream.next(), { value: 2, done: false });
        const waiting = stream.next();
        const deaf = pool.map(() => new Promise<never>(() => {}), [1, 2], { signal });
        const gathering = pool.map(double, source(), { signal });
        const ends = [deaf, gathering, waiting].map((one) =>
          assert.rejects(one, stop === "signal" ? { name: "AbortError" } : { code: "pool.terminated" }),
        );
        if (stop === "signal") controller.abort();
        else await pool.terminate();
        await Promise.all(ends);
      }
    });
  });
}

async function* lazily(n: number) {
  for (let at = 0; at < n; at++) {
    await sleep(1);
    yield at;
  }
}

for (const isolate of ["thread", "process"] as const) {
  test(`what a pool that was ended had given out does not continue elsewhere (${isolate})`, async () => {
    const file = join(import.meta.dirname, "fixtures", "terminated-program.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [file, isolate], { timeout: 120_000 });
    assert.equal(stdout, "rejected\n".repeat(3));
  });
}
