import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ActorDiedError,
  actor,
  Counter,
  control,
  type Isolation,
  Pool,
  WorkerDiedError,
} from "../../../src/pool/index.ts";
import { counted, Gate, gate } from "../fixtures/gate.ts";
import { add } from "../fixtures/tasks.ts";

/** A folder with a log of what began, and a gate. */
class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), "pawl-gate-"));

  constructor(t: TestContext) {
    t.after(() => {
      this.open();
      rmSync(this.folder, { recursive: true });
    });
  }

  get log(): string[] {
    const path = join(this.folder, "log");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }

  async began(name: string): Promise<void> {
    while (!this.log.includes(name)) await sleep(5);
  }

  open(): void {
    writeFileSync(join(this.folder, "go"), "");
  }
}

/** So that the pool has its workers, and knows that the function is quick. */
async function warmUp(pool: Pool, scene: Scene, calls: number): Promise<void> {
  const quick = Array.from({ length: calls }, () => pool.submit(gate, scene.folder, "warm", "pass"));
  await Promise.all(quick.map((each) => each.result()));
}

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`turns of calls (${isolate})`, () => {
    for (const end of ["kill", "crash", "hard limit", "result"] as const) {
      test(`a call that was told cancelled never begins, though the one before it ends by ${end}`, async (t) => {
        const scene = new Scene(t);
        await using pool = new Pool({ workers: 1, isolate });
        await warmUp(pool, scene, 40);
        const { folder } = scene;
        const options = end === "hard limit" ? { timeout: 500 } : {};
        const submit = (name: string, what: "pass" | "wait" | "exit") =>
          pool.submitWith(options, gate, folder, name, what);
        const first = submit("a", end === "crash" ? "exit" : "wait");
        const others = ["b", "c", "d", "e", "f", "g"].map((name) => submit(name, "pass"));
        const gone = others.filter((_, at) => at % 2 === 0);
        await scene.began("a");
        for (const future of gone) assert.equal(future.cancel(), true);
        if (end === "kill") assert.equal(first.cancel({ kill: true }), true);
        if (end === "crash" || end === "result") scene.open();
        for (const future of gone) await assert.rejects(future.result(), { name: "AbortError" });
        const kept = others.filter((each) => !gone.includes(each));
        assert.deepEqual(await Promise.all(kept.map((each) => each.result())), ["c", "e", "g"]);
        if (end === "crash") await assert.rejects(first.result(), WorkerDiedError);
        if (end === "kill") await assert.rejects(first.result(), { name: "AbortError" });
        if (end === "hard limit") await assert.rejects(first.result(), { code: "pool.timeout" });
        if (end === "result") assert.equal(await first.result(), "a");
        assert.deepEqual(
          scene.log.filter((name) => name !== "warm"),
          ["a", "c", "e", "g"],
        );
      });
    }

    test("a call that was cancelled while it ran is not tried again when its worker dies", async (t) => {
      const scene = new Scene(t);
      await using pool = new Pool({ workers: 1, isolate });
      const future = pool.submitWith({ crashRetries: 5 }, gate, scene.folder, "a", "exit");
      await scene.began("a");
      assert.equal(future.cancel(), true);
      scene.open();
      await assert.rejects(future.result(), WorkerDiedError);
      await pool.apply(add, 1, 2);
      assert.deepEqual(scene.log, ["a"]);
    });

    test("a call of an actor that was aborted before it began does not begin in the actor's next worker", async (t) => {
      const scene = new Scene(t);
      await using handle = await actor(Gate, [], { isolate, maxRestarts: 1 });
      const controller = new AbortController();
      const first = handle.pass(scene.folder, "a", "exit");
      const aborted = control(handle).with({ signal: controller.signal }).pass(scene.folder, "b", "pass");
      const last = handle.pass(scene.folder, "c", "pass");
      const ended = Promise.allSettled([first, aborted, last]);
      await scene.began("a");
      controller.abort(new Error("not any more"));
      scene.open();
      const [one, other, third] = await ended;
      assert.ok(one.status === "rejected" && one.reason instanceof ActorDiedError);
      assert.ok(other.status === "rejected" && other.reason.message === "not any more");
      assert.deepEqual(third, { status: "fulfilled", value: "c" });
      assert.deepEqual(scene.log, ["a", "c"]);
    });

    test("calls do not wait behind a long one while a worker is idle, or could be", async (t) => {
      for (const calls of [1, 40]) {
        const scene = new Scene(t);
        await using pool = new Pool({ workers: 3, isolate });
        await warmUp(pool, scene, calls);
        const long = pool.submit(gate, scene.folder, "long", "wait");
        const short = Array.from({ length: 40 }, (_, n) => pool.submit(gate, scene.folder, `${n}`, "pass"));
        await scene.began("long");
        const names = await Promise.all(short.map((each) => each.result()));
        assert.deepEqual(
          names,
          Array.from({ length: 40 }, (_, n) => `${n}`),
        );
        assert.equal(long.done, false);
        scene.open();
        assert.equal(await long.result(), "long");
        const began = scene.log.filter((name) => name !== "warm");
        assert.equal(new Set(began).size, began.length, "none began twice");
      }
    });

    test("calls of one function begin in the order in which they were made", async (t) => {
      const scene = new Scene(t);
      await using pool = new Pool({ workers: 1, isolate });
      const names = Array.from({ length: 300 }, (_, n) => `${n}`);
      const futures = names.map((name) => pool.submit(gate, scene.folder, name, "pass"));
      await Promise.all(futures.map((each) => each.result()));
      assert.deepEqual(scene.log, names);
    });
  });
}

for (const chunkSize of [undefined, 100]) {
  test(`a call beside a long map has its turn long before the map ends (chunks of ${chunkSize ?? "10 ms"})`, async () => {
    const done = new Counter();
    const options = chunkSize === undefined ? {} : { chunkSize };
    {
      await using pool = new Pool({ workers: 2 });
      await pool.apply(add, 1, 2);
      done.exchange(0);
      const mapped = pool.map(counted, new Array(200).fill(done), options);
      while (done.value < 10) await sleep(5);
      for (let round = 0; round < 3; round++) {
        assert.equal(await pool.apply(add, 1, 2), 3);
      }
      assert.ok(done.value < 180, `the map had done ${done.value} of 200 items`);
      assert.deepEqual(new Set(await mapped).size, 200);
      assert.equal(done.value, 200, "each item was run once");
    }
  });
}

test("two maps on one pool share its workers", async () => {
  const [one, other] = [new Counter(), new Counter()];
  await using pool = new Pool({ workers: 1 });
  await pool.apply(add, 1, 2);
  const first = pool.map(counted, new Array(120).fill(one), { chunkSize: 2 });
  const second = pool.map(counted, new Array(20).fill(other), { chunkSize: 2 });
  await second;
  assert.ok(one.value < 100, `the first had done ${one.value} of 120 items`);
  await first;
});
