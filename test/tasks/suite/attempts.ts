import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptRecord } from "../../../src/store/index.ts";
import { type GroupResults, TaskFailedError } from "../../../src/tasks/index.ts";
import {
  add,
  busy,
  busyInChild,
  fails,
  flaky,
  inexpressible,
  large,
  orders,
  ordersInChild,
  parent,
  patient,
  permanent,
  picky,
  snoozes,
  soft,
  streams,
} from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

const told = ({ result, error }: AttemptRecord) => `${result} ${error}`;

/** What becomes of a task by how its attempts end. */
export function attempts(open: OpenPlace): void {
  test("a task that fails is tried again, and each attempt is kept with its reason and log", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(flaky, 2);
    assert.equal(await handle.result(), 3);
    const attempts = await stage.store.attempts(handle.id);
    assert.deepEqual(attempts.map(told), ["retry failure 1", "retry failure 2", "succeeded null"]);
    assert.match(attempts[0]?.log ?? "", /attempt 1\n.*Error: failure 1\n\s+at /s);
    assert.match(attempts[2]?.log ?? "", /^\S+Z attempt 3\n$/);
    assert.equal((await handle.status())?.failures, 2);
  });

  test("a task waits as long as a server asked for by Retry-After, here and in a child", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    for (const task of [busy, busyInChild]) {
      const { id } = await stage.client.enqueue(task);
      const { due } = await stage.until(id, ({ failures }) => failures === 1);
      const waitMs = (due ?? 0) - (await stage.store.now());
      assert.ok(waitMs > 3_500_000 && waitMs <= 3_600_000 + 1_000, `${waitMs} ms`);
    }
  });

  test("with its retries used up it is a dead letter, and its result says why", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(flaky, 99);
    await assert.rejects(handle.result(), (error) => {
      assert.ok(error instanceof TaskFailedError);
      assert.deepEqual([error.code, error.state], ["task.failed", "dead"]);
      assert.equal(error.message, `Task ${handle.id} (flaky) failed 6 times: failure 6.`);
      return true;
    });
    assert.equal((await stage.store.attempts(handle.id)).length, 6);
  });

  test("a dead letter that is tried again begins with fresh retries", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(flaky, 8);
    await assert.rejects(handle.result(), { code: "task.failed" });
    assert.equal(await handle.retry(), true);
    assert.equal(await handle.result(), 9);
  });

  test("what cannot succeed is not tried again", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    for (const [handle, why] of [
      [await stage.client.enqueue(permanent), /The account is closed/],
      [await stage.client.enqueue(fails, "broken"), /broken/],
      [
        await stage.client.enqueue(inexpressible),
        /The result of task "inexpressible" cannot be stored as JSON/,
      ],
      [await stage.client.enqueue(large, 1_100_000), /The result of task "large" is 1\.1 MB as JSON/],
    ] as const) {
      await assert.rejects(handle.result(), why);
      assert.equal((await stage.task(handle.id)).fence, 1);
    }
    assert.equal(String(await (await stage.client.enqueue(large, 1_000_000)).result()).length, 1_000_000);
  });

  test("retryOn says which errors are worth another try", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const fatal = await stage.client.enqueue(picky, "fatal");
    const passing = await stage.client.enqueue(picky, "passing");
    await assert.rejects(fatal.result(), /fatal 1/);
    await assert.rejects(passing.result(), /passing 6/);
  });

  test("a handler may say when it is tried again, as a failure or without blame", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const retried = await stage.client.enqueue(patient, null);
    assert.equal(await retried.result(), 2);
    assert.deepEqual((await stage.store.attempts(retried.id)).map(told)[0], "retry not ready");
    const snoozed = await stage.client.enqueue(snoozes, null);
    assert.equal(await snoozed.result(), 2);
    assert.equal((await snoozed.status())?.failures, 0);
  });

  test("what a task enqueues is stored once, however often it is tried", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(parent, 5);
    const ids = await handle.result();
    // The call with 0 was made twice on purpose, and is two tasks.
    assert.equal(new Set(ids).size, 6);
    const stored = await stage.store.query({ name: "double" });
    assert.deepEqual(stored.map(({ id }) => id).sort(), [...ids].sort());
    assert.equal((await stage.task(handle.id)).fence, 2);
  });

  test("inside a handler the store is that of its worker, in a child too", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const here = await (await stage.client.enqueue(orders, 2)).result();
    assert.equal(await stage.client.handle(here).result(), 4);
    const child = await (await stage.client.enqueue(ordersInChild, 2)).result();
    assert.equal(await stage.client.handle(child).result(), 8);
  });

  test("a soft limit aborts the signal; who listens has failed, who finishes has not", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const listens = await stage.client.enqueue(soft, true);
    await assert.rejects(listens.result(), /It ran longer than its soft limit of 30 ms/);
    assert.equal(await (await stage.client.enqueue(soft, false)).result(), "finished all the same");
  });

  test("a worker that does not know a task leaves it to one that does", async () => {
    await using stage = await Stage.open(open);
    const errors: unknown[] = [];
    await stage.work({ tasks: [flaky], onError: (error) => errors.push(error) });
    const handle = await stage.client.enqueue(add, { a: 1 });
    await stage.until(handle.id, ({ fence, state }) => fence > 0 && state === "waiting");
    assert.match(String(errors[0]), /No handler is named add/);
    await stage.work();
    assert.equal(await handle.result(), 2);
  });

  test("each streamed group that an attempt enqueues is stored, and the same one of the next attempt once", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(streams, null);
    const [first, second, third, last] = (await handle.result()) as [string, string, string, string];
    assert.equal(new Set([first, second, third, last]).size, 4);
    const flows = (await stage.store.query({ name: "pawl.pass" })).map(({ id }) => id);
    // The third attempt's and that of the second.
    assert.equal(flows.length, 4);
    for (const [id, from] of [
      [first, 0],
      [second, 0],
      [third, 300],
    ] as const) {
      const members = await stage.client.handle<GroupResults<unknown>>(id).result();
      assert.deepEqual(
        await members.all(),
        [0, 1, 2].map((n) => ({ n: from + n })),
      );
    }
    assert.deepEqual(
      (await stage.store.query({ name: "double" })).map(({ queue }) => queue),
      ["of-1", "of-2", "of-3"],
    );
  });
}
