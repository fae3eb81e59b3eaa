import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { PawlError } from "../../src/errors.ts";
import { openStore } from "../../src/store/index.ts";
import { chain, chord, connect, group, schedule, subscribe, task } from "../../src/tasks/index.ts";
import { Worker } from "../../src/tasks/internal.ts";
import { assertSaid, ODD } from "../odd.ts";

test("what is enqueued is a task or a flow, its inputs can be iterated over and its options are an object: else it is said", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-arguments-"));
  const client = connect(join(folder, "store.db"));
  t.after(async () => {
    await client.close();
    await rm(folder, { recursive: true });
  });
  const echo = task({ name: "echo" }, (given: unknown) => given);
  for (const odd of ODD) {
    const wrong = odd as never;
    const isText = typeof odd === "string";
    const isObject = typeof odd === "object" && odd !== null;
    const isIterable = isText || Array.isArray(odd);
    const refused: [string, () => unknown][] = [
      ["task.unknown-task", () => client.enqueue(wrong, 1)],
      ["task.unknown-task", () => client.enqueueMany(wrong, [])],
      ["task.key", () => client.enqueueMany(echo, [1], { key: wrong })],
      ["flow.link", () => chain(echo, wrong)],
      ["flow.link", () => client.enqueueFlow(wrong, null)],
      ["flow.link", () => chord([echo.with(1)], wrong)],
    ];
    if (!isText) {
      refused.push(["task.id", () => client.handle(wrong)]);
      refused.push(["store.unsupported", () => connect(wrong)]);
    }
    if (!isIterable) {
      refused.push(["task.inputs", () => client.enqueueMany(echo, wrong)]);
      refused.push(["flow.link", () => client.enqueueFlow(group(wrong), null)]);
    }
    if (!isObject) refused.push(["task.option", () => client.enqueue(echo, 1, wrong)]);
    for (const [code, work] of refused) {
      await assert.rejects(
        async () => await work(),
        (error) => {
          assert.ok(error instanceof PawlError, `${code}: ${String(error)}`);
          assert.equal(error.code, code);
          assert.match(error.message, /^[^\n]+\.$/);
          return true;
        },
      );
    }
  }
});

test("each option of a task, a schedule, a worker and a subscription is taken, or refused in a sentence", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-arguments-"));
  const store = await openStore(join(folder, "store.db"));
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  const echo = task({ name: "echo-on-time" }, (given: unknown) => given);
  let made = 0;
  for (const odd of ODD) {
    const wrong = odd as never;
    for (const times of [
      odd,
      { every: odd },
      { cron: odd },
      { every: "1h", catchUp: odd },
      { cron: "0 * * * *", timezone: odd },
    ]) {
      await assertSaid(`times ${inspect(times)}`, () => schedule("s", echo, times as never, { store }));
    }
    await assertSaid(`schedule of ${inspect(odd)}`, () => schedule("s", wrong, { every: "1h" }, { store }));
    await assertSaid(`schedule named ${inspect(odd)}`, () =>
      schedule(wrong, echo, { every: "1h" }, { store }),
    );
    for (const option of [
      "queue",
      "retries",
      "backoff",
      "priority",
      "softLimit",
      "hardLimit",
      "isolate",
      "module",
      "rateLimit",
      "unique",
      "expires",
      "retention",
      "maps",
      "input",
      "retryOn",
    ]) {
      await assertSaid(`${option} ${inspect(odd)} of a task`, () =>
        task({ name: `made${made++}`, [option]: odd } as never, () => null),
      );
    }
    await assertSaid(`handler ${inspect(odd)}`, () => task({ name: `made${made++}` }, wrong));
    await assertSaid(`name ${inspect(odd)}`, () => task({ name: wrong }, () => null));
    for (const option of [
      "queues",
      "concurrency",
      "prefetch",
      "buckets",
      "leaseMs",
      "poisonAfter",
      "onError",
    ]) {
      await assertSaid(
        `${option} ${inspect(odd)} of a worker`,
        () => new Worker({ store, queues: ["q"], tasks: [], [option]: odd }),
      );
    }
    for (const option of ["signal", "queue", "group", "name", "task"]) {
      const subscription = await assertSaid(`${option} ${inspect(odd)} of a subscription`, () => {
        const begun = subscribe(store, { [option]: odd } as never);
        begun.ready.catch(() => {});
        return { begun };
      });
      await (subscription as { begun: AsyncDisposable } | undefined)?.begun[Symbol.asyncDispose]();
    }
  }
});
