import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Isolation, Pool, WorkerDiedError } from "../../../src/pool/index.ts";
import { unreachable } from "../fixtures/exits-when-loaded.ts";
import { waited } from "../fixtures/never-loaded.ts";
import { add, deadly, double } from "../fixtures/tasks.ts";
import {
  chatty,
  closesLine,
  disconnects,
  initExits,
  initNever,
  leavesExit,
  rejectsLater,
  segfaults,
  throwsLater,
  untouched,
} from "../fixtures/trouble.ts";
import { numbers } from "../numbers.ts";

const MB = 1024 * 1024;
type Outcome = PromiseSettledResult<unknown>;

/** The value, or the error's message where it is that of a worker that died. */
function tell(one: Outcome): unknown {
  if (one.status === "fulfilled") return one.value;
  assert.ok(one.reason instanceof WorkerDiedError, String(one.reason));
  return one.reason.message;
}

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`workers that die (${isolate})`, () => {
    test("an exception thrown from a timer ends the item that runs, and the error says it", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      const items = [null, { thrown: new TypeError("much too late") }, null, null];
      const settled = await pool.map(throwsLater, items, { errors: "collect", chunkSize: 2 });
      assert.deepEqual(settled.map(tell), [
        "unharmed",
        "The worker died while it ran item 1: TypeError: much too late.",
        "unharmed",
        "unharmed",
      ]);
      for (const thrown of [null, undefined, "text"]) {
        const [one] = await pool.map(throwsLater, [{ thrown }], { errors: "collect", chunkSize: 1 });
        assert.match(String(tell(one as Outcome)), /^The worker died while it ran item 0: ./);
      }
    });

    test("an unhandled rejection is the same", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const settled = await pool.map(rejectsLater, [false, true, false], { errors: "collect", chunkSize: 3 });
      assert.deepEqual(settled.map(tell), [
        "unharmed",
        "The worker died while it ran item 1: RangeError: no listener.",
        "unharmed",
      ]);
    });

    test("a worker that dies between two items fails neither", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const pairs = numbers(8).map((n) => [n, 3] as [number, number]);
      assert.deepEqual(await pool.starmap(leavesExit, pairs, { chunkSize: 8 }), numbers(8));
    });

    test("a full heap ends the item that filled it", async () => {
      await using pool = new Pool({ workers: 1, isolate, maxHeapPerWorker: 64 * MB });
      const items = numbers(5).map((n) => ({ n, how: n === 2 ? ("heap" as const) : null }));
      const settled = await pool.map(deadly, items, { errors: "collect", chunkSize: 5 });
      const why = isolate === "thread" ? "its heap was full" : "it was ended by SIGABRT";
      assert.deepEqual(settled.map(tell), [0, 1, `The worker died while it ran item 2: ${why}.`, 3, 4]);
    });

    test("messages of the function's own do no harm", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      assert.deepEqual(await pool.map(chatty, numbers(40), { chunkSize: 3 }), numbers(40));
      assert.equal(await pool.apply(add, 1, 2), 3);
    });

    test("a module that ends its worker fails its calls soon, and no others", async () => {
      await using pool = new Pool({ workers: 2, isolate });
      await assert.rejects(pool.map(unreachable, numbers(10_000), { errors: "collect", chunkSize: 1 }), {
        name: "WorkerDiedError",
        message:
          /^The workers died, one after the other, before they began item \d+ of .*: it ended with code 3\.$/,
      });
      await assert.rejects(pool.apply(unreachable, 1), { name: "WorkerDiedError" });
      await assert.rejects(
        async () => {
          for await (const _ of pool.imap(unreachable, numbers(100), { chunkSize: 1 }));
        },
        { name: "WorkerDiedError" },
      );
      assert.deepEqual(await pool.map(double, [1, 2], { chunkSize: 1 }), [2, 4]);
    });

    test("a module that never loads fails its calls when the time to start is over", async () => {
      await using pool = new Pool({ workers: 1, isolate, startTimeout: 5_000 });
      await assert.rejects(pool.map(waited, [1, 2], { chunkSize: 1 }), {
        code: "pool.start-timeout",
        message: /^A worker had not loaded .* after 5000 ms: /,
      });
      assert.equal(await pool.apply(add, 1, 2), 3);
    });

    test("an init that never ends fails the calls when the time to start is over", async () => {
      await using pool = new Pool({ workers: 1, isolate, init: initNever, startTimeout: 300 });
      await assert.rejects(pool.map(double, [1, 2]), { code: "pool.start-timeout" });
      await assert.rejects(pool.apply(add, 1, 2), { code: "pool.start-timeout" });
    });

    test("an init that never ends is stopped by a signal and with the pool", async () => {
      const pool = new Pool({ workers: 1, isolate, init: initNever });
      const stop = new AbortController();
      const map = pool.map(double, [1], { signal: stop.signal });
      const future = pool.submit(add, 1, 1);
      stop.abort();
      await assert.rejects(map, { name: "AbortError" });
      await pool.terminate();
      await assert.rejects(future.result(), { code: "pool.terminated" });
    });

    test("workers that end while they begin are not started for ever", async () => {
      await using pool = new Pool({ workers: 2, isolate, init: initExits });
      await assert.rejects(pool.map(double, numbers(100)), {
        code: "pool.no-worker",
        message: "The pool's workers end before they begin: it ended with code 5.",
      });
    });

    test("an argument of init that cannot be sent is refused before anything starts", () => {
      for (const initArgument of [
        () => {},
        { at: new URL("https://example.org") },
        [new AbortController()],
      ]) {
        assert.throws(() => new Pool({ workers: 1, isolate, init: untouched, initArgument }), {
          code: "pool.unsendable",
          message: /^The initArgument of a pool cannot be sent to a worker \(/,
        });
      }
    });
  });
}

suite("processes that die", () => {
  test("of a signal", async () => {
    await using pool = new Pool({ workers: 1, isolate: "process" });
    const pairs = numbers(4).map((n) => [n, 1] as [number, number]);
    const futures = pairs.map((pair) => pool.submit(segfaults, ...pair));
    const settled = await Promise.allSettled(futures.map((future) => future.result()));
    const [died] = settled.filter((one) => one.status === "rejected");
    assert.match(died?.reason.message, /^The worker died while it ran item 1: it was ended by SIGSEGV\.$/);
    assert.deepEqual(
      settled.map((one) => (one.status === "fulfilled" ? one.value : null)),
      [0, null, 2, 3],
    );
  });

  test("because the function closes the channel to the parent", async () => {
    await using pool = new Pool({ workers: 1, isolate: "process" });
    const futures = numbers(4).map((n) => pool.submit(disconnects, n, 1));
    const settled = await Promise.allSettled(futures.map((future) => future.result()));
    assert.deepEqual(
      settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason instanceof WorkerDiedError)),
      [0, true, 2, 3],
    );
  });
});

test("a function that closes the channel of its thread closes its own only", {
  timeout: 60_000,
}, async () => {
  await using pool = new Pool({ workers: 1, isolate: "thread" });
  for (const n of numbers(4)) assert.equal(await pool.submit(closesLine, n, 1).result(), n);
});
