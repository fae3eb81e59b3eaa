import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "../../../src/store/index.ts";
import { connect, type EnqueueOptions, PawlError, TaskFailedError } from "../../../src/tasks/index.ts";
import {
  add,
  alone,
  aloneFor,
  byText,
  byTextColon,
  double,
  flaky,
  lateRetry,
  once,
  prompt,
  steps,
  waits,
} from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

/** Enqueueing and handles. */
export function calls(open: OpenPlace): void {
  test("a call gives its result to every process that has its id", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueue(add, { a: 1, b: 2 });
    assert.equal(handle.created, true);
    await stage.work();
    assert.equal(await handle.result(), 3);
    assert.equal(await stage.client.handle(handle.id).result(), 3);
    const status = await handle.status();
    assert.deepEqual(
      [status?.state, status?.attempt, status?.name, status?.queue],
      ["succeeded", 1, "add", "default"],
    );
    assert.ok((status?.settledAt ?? 0) >= (status?.createdAt ?? 1));
  });

  test("the input is stored as it was given and parsed where it runs", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueue(add, { a: 1 });
    assert.deepEqual((await stage.task(handle.id)).payload, { a: 1 });
    await stage.work();
    assert.equal(await handle.result(), 2);
  });

  test("a bad input fails at the caller, and nothing is stored", async () => {
    await using stage = await Stage.open(open);
    await assert.rejects(stage.client.enqueue(add, { a: "1" } as never), (error) => {
      assert.ok(error instanceof PawlError);
      assert.equal(error.code, "task.input");
      assert.match(error.message, /^The input of task "add" is not what it takes: a: .*\.$/);
      return true;
    });
    await assert.rejects(stage.client.enqueueMany(add, [{ a: 1 }, {} as never]), { code: "task.input" });
    assert.deepEqual(await stage.store.query({ name: "add" }), []);
  });

  test("a payload that was stored by an older program and no longer fits is a dead letter at once", async () => {
    await using stage = await Stage.open(open);
    await stage.store.enqueue([{ id: "old", queue: "default", name: "add", payload: { a: "1" } }]);
    await stage.work();
    const task = await stage.until("old", ({ state }) => state === "dead");
    assert.deepEqual([task.fence, task.failures], [1, 1]);
    assert.match(task.error ?? "", /is not what it takes/);
  });

  test("the same key is the same call", async () => {
    await using stage = await Stage.open(open);
    const first = await stage.client.enqueue(double, 4, { key: "k" });
    const second = await stage.client.enqueue(double, 5, { key: "k" });
    const other = await stage.client.enqueue(flaky, 0, { key: "k" });
    assert.deepEqual([second.id, second.created], [first.id, false]);
    assert.notEqual(other.id, first.id);
    await stage.work();
    assert.equal(await second.result(), 8);
  });

  test("of a unique task one waits or runs, and who enqueues another gets that one", async () => {
    await using stage = await Stage.open(open);
    const [first, second, third] = await Promise.all([
      stage.client.enqueue(once, { key: "a" }),
      stage.client.enqueue(once, { key: "a" }),
      stage.client.enqueue(once, { key: "b" }),
    ]);
    assert.deepEqual([second.id, second.created], [first.id, false]);
    assert.notEqual(third.id, first.id);
    await stage.work();
    await first.result();
    const later = await stage.client.enqueue(once, { key: "a" });
    assert.equal(later.created, true);
    assert.notEqual(later.id, first.id);
    assert.equal(await later.result(), "a");
  });

  test("many calls at once from one program are all stored, each once", async () => {
    await using stage = await Stage.open(open);
    const handles = await Promise.all(Array.from({ length: 700 }, (_, n) => stage.client.enqueue(double, n)));
    assert.equal(new Set(handles.map(({ id }) => id)).size, 700);
    assert.equal((await stage.store.queues())[0]?.counts.waiting, 700);
  });

  test("enqueueMany stores as it reads, and a second time with the same keys stores nothing", async () => {
    await using stage = await Stage.open(open);
    let read = 0;
    async function* inputs() {
      for (; read < 6_300; read++) {
        // The third batch waits for the first, so that what was read long ago is stored.
        if (read === 6_200) assert.ok(((await stage.store.queues())[0]?.counts.waiting ?? 0) >= 500);
        yield read;
      }
    }
    const key = (n: number) => String(n);
    assert.deepEqual(await stage.client.enqueueMany(double, inputs(), { key }), {
      count: 6_300,
      created: 6_300,
    });
    const again = Array.from({ length: 6_301 }, (_, n) => n);
    assert.deepEqual(await stage.client.enqueueMany(double, again, { key }), { count: 6_301, created: 1 });
    assert.deepEqual(await stage.client.enqueueMany(double, []), { count: 0, created: 0 });
  });

  test("two programs that store the same keys from either end store each once", async () => {
    await using stage = await Stage.open(open);
    await using store = await openStore(stage.address);
    const key = (n: number) => String(n);
    const inputs = Array.from({ length: 4_500 }, (_, n) => n);
    const done = await Promise.all([
      stage.client.enqueueMany(double, inputs, { key }),
      connect(store).enqueueMany(double, inputs.toReversed(), { key }),
    ]);
    assert.equal(done[0].created + done[1].created, 4_500);
    assert.equal((await stage.store.queues())[0]?.counts.waiting, 4_500);
    assert.equal((await stage.store.query({ name: "double" })).length, 4_500);
  });

  test("an iterable that fails ends enqueueMany with its error", async () => {
    await using stage = await Stage.open(open);
    async function* inputs() {
      yield 1;
      throw new Error("The file broke off.");
    }
    await assert.rejects(stage.client.enqueueMany(double, inputs()), /The file broke off/);
  });

  test("a delayed call waits, one with an earlier moment does not", async () => {
    await using stage = await Stage.open(open);
    const [delayed, past, priority] = [
      await stage.client.enqueue(double, 1, { delay: "1h" }),
      await stage.client.enqueue(double, 2, { at: new Date(1_000) }),
      await stage.client.enqueue(double, 3, {
        at: new Date((await stage.store.now()) + 3_600_000),
        priority: 7,
      }),
    ];
    const due = async (id: string) => ((await stage.task(id)).due ?? 0) - (await stage.store.now());
    assert.ok((await due(delayed.id)) > 3_000_000 && (await due(delayed.id)) <= 3_600_000);
    assert.ok((await due(past.id)) <= 0);
    assert.ok((await due(priority.id)) > 3_000_000);
    assert.equal((await stage.task(priority.id)).priority, 7);
    await assert.rejects(stage.client.enqueue(double, 1, { delay: 1, at: new Date() }), {
      code: "task.delay",
    });
    await assert.rejects(stage.client.enqueue(double, 1, { at: new Date("never") }), { code: "task.at" });
    await assert.rejects(stage.client.enqueue(double, 1, { delay: "soon" as never }), {
      code: "argument.duration",
    });
  });

  test("what was not begun in time is cancelled", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueue(prompt);
    await sleep(60);
    await stage.work();
    await assert.rejects(handle.result(), (error) => {
      assert.ok(error instanceof TaskFailedError);
      assert.deepEqual([error.code, error.state, error.task], ["task.cancelled", "cancelled", handle.id]);
      assert.match(error.message, /expired/);
      return true;
    });
  });

  test("one call that cannot be stored fails alone, and says which option is at fault", async () => {
    await using stage = await Stage.open(open);
    const bad: [EnqueueOptions, string, RegExp][] = [
      [
        { delay: Number.POSITIVE_INFINITY },
        "argument.duration",
        /delay .* at most 1,000 years, not Infinity/,
      ],
      [{ delay: Number.NaN }, "argument.duration", /delay .* not NaN/],
      [{ delay: -1 }, "argument.duration", /delay .* not -1/],
      [{ delay: 1e20 }, "argument.duration", /delay .* not 100000000000000000000/],
      [{ delay: `${"9".repeat(400)}d` as never }, "argument.duration", /delay/],
      [{ delay: 5n as never }, "argument.duration", /delay .* not 5/],
      [{ expires: Number.NaN }, "argument.duration", /expires .* not NaN/],
      [{ expires: -1 }, "argument.duration", /expires/],
      [{ expires: 0 }, "task.expires", /would never run/],
      [{ delay: "2h", expires: "1h" }, "task.expires", /would never run/],
      [{ at: new Date(8.64e15) }, "argument.duration", /the at of task "double"/],
      [{ at: "2026-01-31" as never }, "task.at", /at of task "double" must be a Date/],
      [{ priority: 2 ** 31 }, "task.number", /priority/],
      [{ priority: -(2 ** 31) }, "task.number", /priority/],
      [{ priority: 0.5 }, "task.number", /priority/],
      [{ queue: "a\0b" }, "task.queue", /queue .* cannot be stored/],
      [{ queue: "\ud800" }, "task.queue", /queue/],
      [{ queue: "q".repeat(3_000) }, "task.queue", /queue .* 3000 characters/],
      [{ queue: "run/1" }, "task.queue", /reserved for runs/],
      [{ queue: "" }, "task.queue", /queue/],
      [{ key: "" }, "task.key", /key .* an empty one/],
      [{ key: null as never }, "task.key", /key .* null/],
      [{ retries: 3 } as never, "task.option", /no option "retries"/],
    ];
    const calls = bad.flatMap(([options], n) => [
      stage.client.enqueue(double, n),
      stage.client.enqueue(double, -1, options),
    ]);
    const ends = await Promise.allSettled(calls);
    for (const [n, [, code, message]] of bad.entries()) {
      assert.equal(ends[2 * n]?.status, "fulfilled", `the neighbour of ${message}`);
      const end = ends[2 * n + 1];
      assert.ok(end?.status === "rejected", String(message));
      assert.ok(end.reason instanceof PawlError, String(end.reason));
      assert.equal(end.reason.code, code);
      assert.match(end.reason.message, message);
      assert.match(end.reason.message, /^[^\n]*\.$/);
    }
    assert.equal((await stage.store.query({ name: "double" })).length, bad.length);
  });

  test("what cannot expire within any time does not, and nothing in the store is unreadable after that", async () => {
    await using stage = await Stage.open(open);
    const handles: { id: string }[] = [];
    for (const expires of [Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, 1e20, 1e300]) {
      handles.push(await stage.client.enqueue(double, 1, { expires }));
      handles.push(await stage.client.enqueue(prompt, undefined, { expires }));
    }
    handles.push(await stage.client.enqueue(double, 1, { delay: "365000d" }));
    for (const { id } of handles) assert.equal((await stage.task(id)).expiresAt, null);
    const later = (await stage.client.handle(handles.at(-1)?.id ?? "").status())?.due;
    assert.ok(later && later.toISOString() > "3000");
    await stage.work();
    for (const { id } of handles.slice(0, -1)) await stage.client.handle(id).result();
  });

  test("a unique task that has expired does not swallow the next call, swept or not", async () => {
    await using stage = await Stage.open(open);
    const first = await stage.client.enqueue(alone, 1);
    await stage.until(first.id, ({ expiresAt }) => (expiresAt ?? 0) <= Date.now());
    const calls = await Promise.all(
      [1, 1, 1, 2].map((n) => stage.client.enqueue(alone, n, { expires: "1h" })),
    );
    const made = calls.filter(({ created }) => created);
    assert.equal(made.length, 2, "one for each input");
    assert.ok(calls.every(({ id }) => id !== first.id));
    assert.equal((await stage.task(first.id)).error, "expired");
    await stage.client.enqueue(alone, 3);
    assert.deepEqual(await stage.client.enqueueMany(alone, [1, 4, 4], { expires: "1h" }), {
      count: 3,
      created: 1,
    });
    await stage.work();
    for (const call of calls) await call.result();
  });

  test("a unique task that is being cancelled is waited for, and the call is stored", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ lease: "600ms" });
    const first = await stage.client.enqueue(aloneFor, 60_000);
    await stage.until(first.id, ({ state }) => state === "leased");
    assert.equal((await stage.client.enqueue(aloneFor, 60_000)).id, first.id);
    await first.cancel();
    const second = await stage.client.enqueue(aloneFor, 60_000);
    assert.deepEqual([second.created, second.id === first.id], [true, false]);
    await second.cancel();
  });

  test("a unique text may be anything, and is not taken for that of another task", async () => {
    await using stage = await Stage.open(open);
    const texts = ["a", "a\0", "\ud800", "é".repeat(5_000), `${"é".repeat(5_000)}x`, "", "toString"];
    const handles = await Promise.all(texts.map((text) => stage.client.enqueue(byText, text)));
    assert.equal(new Set(handles.map(({ id }) => id)).size, texts.length);
    const again = await Promise.all(texts.map((text) => stage.client.enqueue(byText, text)));
    assert.deepEqual(
      again.map(({ id }) => id),
      handles.map(({ id }) => id),
    );
    const [one, other] = [
      await stage.client.enqueue(byText, "colon:a"),
      await stage.client.enqueue(byTextColon, "a"),
    ];
    assert.deepEqual([other.created, other.id === one.id], [true, false]);
  });

  test("waiting for a result has an end when it is told to, and the task goes on", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueue(double, 2);
    await assert.rejects(handle.result({ timeout: 30 }), { code: "task.waited" });
    const abort = new AbortController();
    const waiting = handle.result({ signal: abort.signal });
    abort.abort(new Error("The client left."));
    await assert.rejects(waiting, /The client left/);
    assert.equal((await handle.progress(abort).next()).done, true);
    await stage.work();
    assert.equal(await handle.result({ timeout: "1h" }), 4);
  });

  test("a task that the store does not have is said to be unknown", async () => {
    await using stage = await Stage.open(open);
    const handle = stage.client.handle("nobody");
    assert.equal(await handle.status(), undefined);
    await assert.rejects(handle.result(), { code: "task.unknown" });
    assert.deepEqual([await handle.cancel(), await handle.retry()], [false, false]);
  });

  test("progress is followed until the task has ended", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueue(steps, 40);
    await stage.work();
    const seen: string[] = [];
    for await (const { current, total, note } of handle.progress()) seen.push(`${current}/${total} ${note}`);
    assert.equal(seen.at(-1), "3/3 step 3");
    const places = seen.map((line) => ["0/3 begin", "1/3 step 1", "2/3 step 2", "3/3 step 3"].indexOf(line));
    assert.deepEqual(places, [...new Set(places)].sort());
    assert.equal(await handle.result(), "done");
    // Of one that is over there is still the last.
    const late: unknown[] = [];
    for await (const progress of stage.client.handle(handle.id).progress()) late.push(progress);
    assert.deepEqual(late, [{ current: 3, total: 3, note: "step 3" }]);
  });

  test("a waiting task is cancelled at once, a running one by its signal, and either can be tried again", async () => {
    await using stage = await Stage.open(open);
    const waiting = await stage.client.enqueue(double, 3, { delay: "1h" });
    assert.equal(await waiting.cancel(), true);
    assert.equal(await waiting.cancel(), false);
    await assert.rejects(waiting.result(), { code: "task.cancelled" });
    await stage.work({ lease: "600ms" });
    const running = await stage.client.enqueue(waits, null);
    await stage.until(running.id, ({ state }) => state === "leased");
    assert.equal(await running.cancel(), true);
    await assert.rejects(running.result(), { code: "task.cancelled" });
    assert.equal(await waiting.retry(), true);
    assert.equal(await waiting.result(), 6);
    await assert.rejects(waiting.retry(), { code: "task.not-failed", message: /has succeeded/ });
  });

  test("what failed and waits is tried now, and what has not failed is said not to have", async () => {
    await using stage = await Stage.open(open);
    const delayed = await stage.client.enqueue(double, 3, { delay: "1h" });
    await assert.rejects(delayed.retry(), { code: "task.not-failed", message: /waits to begin\.$/ });
    await stage.work();
    const handle = await stage.client.enqueue(lateRetry);
    await stage.until(handle.id, ({ state, failures }) => state === "waiting" && failures === 1);
    assert.equal(await handle.retry(), true);
    assert.equal(await handle.result(), 2);
  });

  test("results of a thousand calls are waited for at once", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ queues: { default: 32 }, prefetch: 200 });
    const handles = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => stage.client.enqueue(double, n)),
    );
    const results = await Promise.all(handles.map((handle) => handle.result()));
    assert.deepEqual(
      results,
      Array.from({ length: 1_000 }, (_, n) => n * 2),
    );
  });
}
