import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Store, TransientError } from "../../../src/store/index.ts";
import { CancelledError, PermanentError, Snooze, StoppedError } from "../../../src/tasks/index.ts";
import { Scene } from "./scene.ts";

/** Resolves when the signal is aborted, as a handler that minds its signal. */
async function aborted(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  throw signal.reason;
}

test("what a handler returns is the result of its task", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("add", { payload: [1, 2], flow: "g" });
  await scene.enqueue("nothing", { id: "u" });
  scene.work({
    add: async ({ payload, flow }) => ({ sum: (payload as number[]).reduce((a, b) => a + b), flow }),
    nothing: async () => {},
  });
  assert.deepEqual((await scene.until(({ state }) => state === "succeeded")).result, { sum: 3, flow: "g" });
  assert.equal((await scene.until(({ state }) => state === "succeeded", "u")).result, null);
});

test("a task that fails is tried again until it succeeds", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("flaky");
  scene.work({
    flaky: async ({ failures }) => {
      if (failures < 3) throw new Error(`failure ${failures + 1}`);
      return failures;
    },
  });
  const task = await scene.until(({ state }) => state === "succeeded");
  assert.deepEqual([task.failures, task.fence, task.result, task.error], [3, 4, 3, null]);
});

test("a task that fails too often becomes a dead letter with its last error", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("broken");
  scene.work(
    {
      broken: async ({ failures }) => {
        throw new Error(`failure ${failures + 1}`);
      },
    },
    { maxFailures: 3 },
  );
  const task = await scene.until(({ state }) => state === "dead");
  assert.deepEqual([task.failures, task.fence, task.error], [3, 3, "failure 3"]);
});

test("an error that is permanent, or a result that is not JSON, is not tried again", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("permanent");
  await scene.enqueue("circular", { id: "u" });
  scene.work({
    permanent: async () => {
      throw new PermanentError("The account is closed.");
    },
    circular: async () => 1n as unknown as number,
  });
  const task = await scene.until(({ state }) => state === "dead");
  assert.deepEqual([task.failures, task.error], [1, "The account is closed."]);
  assert.match((await scene.until(({ state }) => state === "dead", "u")).error ?? "", /JSON/);
});

test("a snoozed task comes back, or is held until it is released", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("patient");
  scene.work({
    patient: async (_, { lease }) => {
      if (lease.fence < 3) throw new Snooze(lease.fence === 1 ? 10 : null);
      return "done";
    },
  });
  await scene.until(({ state, due, fence }) => state === "waiting" && due === null && fence === 2);
  await scene.store.makeClaimable({ ids: ["t"] });
  const task = await scene.until(({ state }) => state === "succeeded");
  assert.deepEqual([task.failures, task.crashes, task.fence], [0, 0, 3]);
});

test("a task with an unknown name is left for a worker that does, and said aloud", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("toString");
  const errors: unknown[] = [];
  const worker = scene.work({}, { onError: (error) => errors.push(error) });
  const left = await scene.until(({ state, fence }) => state === "waiting" && fence >= 1);
  assert.equal(left.failures, 0);
  assert.match(String(errors[0]), /No handler is named toString/);
  await worker.stop();
  scene.work({ toString: async () => "known" });
  assert.equal((await scene.until(({ state }) => state === "succeeded")).result, "known");
});

test("a request to cancel aborts the signal of a running task", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("long");
  const started = Promise.withResolvers<AbortSignal>();
  scene.work(
    {
      long: async (_, { signal }) => {
        started.resolve(signal);
        await aborted(signal);
      },
    },
    { leaseMs: 1_500 },
  );
  const signal = await started.promise;
  await scene.store.requestCancel({ ids: ["t"] });
  const task = await scene.until(({ state }) => state === "cancelled");
  assert.ok(signal.reason instanceof CancelledError);
  assert.deepEqual([task.failures, task.crashes], [0, 0]);
});

test("a stopping worker lets its tasks end and claims no more", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("slow");
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<string>();
  const worker = scene.work(
    {
      slow: () => {
        started.resolve();
        return release.promise;
      },
    },
    { concurrency: 1 },
  );
  await started.promise;
  const stopped = worker.stop({ drainMs: Number.POSITIVE_INFINITY });
  await scene.enqueue("slow", { id: "u" });
  release.resolve("in time");
  await stopped;
  assert.deepEqual([(await scene.task()).state, (await scene.task()).result], ["succeeded", "in time"]);
  assert.deepEqual([(await scene.task("u")).state, (await scene.task("u")).fence], ["waiting", 0]);
});

test("a worker that may not wait hands its tasks back without blame", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("long");
  const started = Promise.withResolvers<AbortSignal>();
  const worker = scene.work({
    long: async (_, { signal }) => {
      started.resolve(signal);
      await aborted(signal);
    },
  });
  const signal = await started.promise;
  await worker.stop({ drainMs: 0 });
  assert.ok(signal.reason instanceof StoppedError);
  const task = await scene.task();
  assert.deepEqual([task.state, task.failures, task.crashes, task.due !== null], ["waiting", 0, 0, true]);
});

test("more tasks than fit run no more at once than allowed", async (t) => {
  const scene = await Scene.open(t);
  const ids = Array.from({ length: 30 }, (_, n) => `t${n}`);
  await scene.store.enqueue(ids.map((id) => ({ id, queue: "q", name: "count", payload: null })));
  let running = 0;
  let most = 0;
  const count = async () => {
    most = Math.max(most, ++running);
    await sleep(2);
    running--;
  };
  scene.work({ count }, { concurrency: 4 });
  for (const id of ids) await scene.until(({ state }) => state === "succeeded", id);
  assert.equal(most, 4);
});

/** The store, but the first calls of some operations fail before or after they took effect. */
function unreliable(store: Store, t: TestContext): { store: Store; failed: () => number } {
  let failed = 0;
  const trouble = () => {
    failed++;
    return new TransientError("store.full", "The disk is full.");
  };
  for (const operation of ["claim", "settle", "query", "claimableInMs"] as const) {
    const original = store[operation].bind(store) as (...args: unknown[]) => Promise<unknown>;
    let calls = 0;
    t.mock.method(store, operation, async (...args: unknown[]) => {
      const call = ++calls;
      if (call === 1) throw trouble();
      const result = await original(...args);
      // The worst of all: it happened, but the caller does not learn so.
      if (call === 2 && operation === "settle") throw trouble();
      return result;
    });
  }
  return { store, failed: () => failed };
}

test("a store that fails for a while costs no task and no second call of a handler", async (t) => {
  const scene = await Scene.open(t);
  const other = await Scene.open(t);
  await other.enqueue("once");
  const { store, failed } = unreliable(other.store, t);
  const errors: unknown[] = [];
  let calls = 0;
  scene.work({ once: async () => ++calls }, { store, onError: (error) => errors.push(error) });
  for (;;) {
    const tasks = await store.query({ ids: ["t"] }).catch(() => []);
    if (tasks[0]?.state === "succeeded" && failed() >= 5) break;
    await sleep(20);
  }
  assert.equal(calls, 1);
  assert.ok(errors.length >= 3);
  assert.ok(errors.every((error) => error instanceof TransientError));
});

test("a handler that never yields does not cost the tasks claimed with it their leases", async (t) => {
  const scene = await Scene.open(t);
  await scene.store.enqueue(["a", "b", "c"].map((id) => ({ id, queue: "q", name: "busy", payload: null })));
  const never = new Int32Array(new SharedArrayBuffer(4));
  // The thread is kept as work would keep it.
  const busy = async () => void Atomics.wait(never, 0, 0, 900);
  scene.work({ busy }, { concurrency: 3, leaseMs: 800 });
  for (const id of ["a", "b", "c"]) {
    const task = await scene.until(({ state }) => state === "succeeded", id);
    assert.deepEqual([task.fence, task.crashes], [1, 0]);
  }
});

test("a worker whose store has gone can still be stopped", async (t) => {
  const scene = await Scene.open(t);
  const worker = scene.work({}, { onError: () => {} });
  await scene.store.close();
  await worker.stop();
});

test("a worker whose store goes away before its leases can be renewed still tries, and says so of its health", async (t) => {
  const scene = await Scene.open(t);
  // The thread that renews leases opens the store for itself, which fails.
  const store = new Proxy(scene.store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name === "address") return `${value}-gone`;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const errors: unknown[] = [];
  const worker = scene.work({}, { store, onError: (error) => errors.push(error) });
  let longest = 0;
  for (;;) {
    const { sinceTryMs, sinceClaimMs } = worker.health();
    assert.equal(sinceClaimMs, Number.POSITIVE_INFINITY);
    if (sinceTryMs < longest && errors.length >= 2) break;
    longest = Math.max(longest, sinceTryMs);
    assert.ok(longest < 10_000, `has not tried for ${longest} ms`);
    await sleep(5);
  }
});

test("a worker with an option that makes no sense is refused, rather than busy for ever", async (context) => {
  const scene = await Scene.open(context);
  const numbers = [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY];
  for (const [option, values] of Object.entries({
    leaseMs: [...numbers, 0, 99],
    prefetch: numbers,
    poisonAfter: [...numbers, 0],
  })) {
    for (const value of values) {
      assert.throws(
        () => scene.work({}, { [option]: value }),
        { code: "worker.option" },
        `${option} ${value}`,
      );
    }
  }
});

test("a task whose payload another program has damaged becomes a dead letter that says so, and its neighbours finish", async (t) => {
  const scene = await Scene.open(t);
  for (let n = 0; n < 20; n++) await scene.enqueue("add", { id: `t${n}`, payload: [n] });
  const database = new DatabaseSync(scene.store.location);
  database.exec(
    `UPDATE task SET payload = '[3' WHERE id = 't3'; UPDATE task SET meta = 'x' WHERE id = 't11'`,
  );
  database.close();
  scene.work({ add: async ({ payload }) => payload });
  for (let n = 0; n < 20; n++) {
    const { state, error, result } = await scene.until(({ settledAt }) => settledAt !== null, `t${n}`);
    if (n === 3 || n === 11) {
      assert.equal(state, "dead");
      assert.match(error ?? "", /^Its (payload|meta) in the store is not JSON, [^\n]+\.$/);
    } else assert.deepEqual([state, result], ["succeeded", [n]]);
  }
});

test("progress is stored, and given to the next attempt", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("steps");
  scene.work({
    steps: async (task, { saveProgress }) => {
      if (task.progress !== null) return task.progress;
      await saveProgress({ cursor: 7 });
      throw new Error("broke off");
    },
  });
  assert.deepEqual((await scene.until(({ state }) => state === "succeeded")).result, { cursor: 7 });
});
