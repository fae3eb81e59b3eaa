import assert from "node:assert/strict";
import { test } from "node:test";
import { task } from "../../../src/tasks/index.ts";
import { timesSpec } from "../../../src/tasks/schedule/times.ts";

const refused: readonly (readonly [options: object, code: string])[] = [
  [{ name: "" }, "task.name"],
  [{ name: "r1", retries: -1 }, "task.number"],
  [{ name: "r2", retries: 1.5 }, "task.number"],
  [{ name: "r3", priority: "high" }, "task.number"],
  [{ name: "r4", queue: "" }, "task.queue"],
  [{ name: "r5", softLimit: "10m", hardLimit: "5m" }, "task.limits"],
  [{ name: "r6", hardLimit: "5m", isolate: "none" }, "task.hard-limit"],
  [{ name: "r7", isolate: "cluster" }, "task.isolate"],
  [{ name: "r8", softLimit: "5 minutes" }, "argument.duration"],
  [{ name: "r9", backoff: { base: "-1s" } }, "argument.duration"],
  [{ name: "r10", rateLimit: "many/s" }, "task.rate-limit"],
  [{ name: "r11", module: {} }, "task.module"],
];

for (const [options, code] of refused) {
  test(`a definition is refused with one sentence: ${code} ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => task(options as { name: string }, () => {}),
      (error: Error & { code: string }) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.message, /^[^\n]+\.$/);
        return true;
      },
    );
  });
}

test("two tasks of one name are an error; a refused one takes no name", () => {
  assert.throws(() => task({ name: "twice", retries: -1 }, () => {}));
  task({ name: "twice" }, () => {});
  assert.throws(() => task({ name: "twice" }, () => {}), { code: "task.name-taken", message: /"twice"/ });
  assert.throws(() => task({ name: "no-handler" }, undefined as never), { code: "task.handler" });
});

test("a name that is one of ours, or that no store can keep, is refused", () => {
  for (const name of ["pawl.pass", "pawl.flow", "a\0b", "\ud800", "n".repeat(300), "", " "]) {
    assert.throws(() => task({ name }, () => {}), { code: "task.name" }, JSON.stringify(name));
  }
  for (const queue of ["run/x", "", "a\0", "q".repeat(300), 5 as never]) {
    assert.throws(() => task({ name: "odd-queue", queue }, () => {}), { code: "task.queue" });
  }
});

test("a time without an end means never where that makes sense, and is refused where it does not", () => {
  const never = Number.POSITIVE_INFINITY;
  const { definition } = task(
    { name: "for-ever", expires: never, retention: 1e20, softLimit: never, hardLimit: never },
    () => {},
  );
  const { expiresMs, retentionMs, softMs, hardMs, isolate } = definition;
  assert.deepEqual([expiresMs, retentionMs, softMs, hardMs, isolate], [null, null, null, null, "none"]);
  for (const backoff of [{ base: never }, { cap: 1e20 }, { base: Number.NaN }, { cap: -1 }]) {
    assert.throws(() => task({ name: "odd-backoff", backoff }, () => {}), { code: "argument.duration" });
  }
  for (const every of [never, 1e20, Number.NaN, -1]) {
    assert.throws(() => timesSpec("s", { every }), { code: "argument.duration" });
  }
});

test("a generator function is refused as a handler, since nothing of it would run", () => {
  const generators = [
    function* () {
      yield 1;
    },
    async function* () {
      yield 1;
    },
  ];
  for (const handler of generators) {
    assert.throws(() => task({ name: "generator" }, handler as never), { code: "task.handler" });
  }
});
