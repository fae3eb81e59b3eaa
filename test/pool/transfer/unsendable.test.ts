import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { suite, test } from "node:test";
import { Counter, type Isolation, Lock, Pool, SharedArray } from "../../../src/pool/index.ts";
import { results } from "../fixtures/results.ts";
import { spin } from "../fixtures/tasks.ts";

test("items that cannot be sent stay in the caller's thread, and have their results however long they take", async () => {
  await using pool = new Pool({ workers: 2 });
  const asked = Array.from({ length: 60 }, (_, n) => ({ ms: 5, answer: () => n }));
  const slow = ({ ms, answer }: { ms: number; answer: () => number }) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
    return answer();
  };
  assert.deepEqual(
    await pool.map(slow, asked),
    asked.map((_, n) => n),
  );
  const streamed: number[] = [];
  for await (const value of pool.imap(slow, asked)) streamed.push(value);
  assert.equal(streamed.length, 60);
  const [told] = pool.explain().functions;
  assert.deepEqual([told?.inline, told?.parallel], [120, 0]);
  assert.match(told?.why ?? "", /cannot be sent to a worker \(.*could not be cloned/);
  // What can be sent goes to the workers all the same.
  for (let round = 0; round < 50 && !pool.explain().functions[1]?.parallel; round++)
    await pool.map(spin, new Array(200).fill(3));
  assert.ok((pool.explain().functions[1]?.parallel ?? 0) > 0);
});

function nameOf(reason: unknown): string {
  const { code, index } = reason as { code: string; index: number };
  return `${code} ${index}`;
}

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  suite(`what cannot be sent is the error of its item alone (${isolate})`, () => {
    const memory = new SharedArrayBuffer(8);
    const deep = (value: unknown) => ({ a: [{ b: [{ c: new Map([["d", new Set([value])]]) }] }] });
    class Box {
      readonly #hidden = 1;
      readonly open = 2;
      readonly held: unknown;
      constructor(held: unknown) {
        this.held = held;
      }
      sum(): number {
        return this.#hidden + this.open;
      }
    }
    const unsendable = [
      () => 1,
      Symbol("s"),
      new Proxy({}, {}),
      new WeakMap(),
      Promise.resolve(1),
      new URL("https://example.org"),
      new URLSearchParams("a=1"),
      new Headers(),
      new Request("https://example.org"),
      new FormData(),
      new ReadableStream(),
      new AbortController().signal,
      new Event("e"),
      new MessageChannel().port1,
      [{ at: { signal: new AbortController() } }],
      deep(new URL("https://example.org")),
      new Box(new Headers()),
      new Error("of", { cause: new URL("https://example.org") }),
      // Deeper than handles are looked for, or where they are not.
      deep(new Counter()),
      new Box(new Lock()),
      [[[[[SharedArray.zeros("int8", 1)]]]]],
      Object.defineProperty({}, "getter", {
        enumerable: true,
        get: () => {
          throw new Error("sprung");
        },
      }),
    ];
    // A thread gets them as what they are.
    const forThreads = [memory, new Blob(["a"]), createSecretKey(Buffer.from("a"))];

    test("as an item", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const items = [1, ...unsendable, ...forThreads, new Box([1]), 2];
      const settled = await pool.map((x: unknown) => typeof x, items, { chunkSize: 10, errors: "collect" });
      const expected = [
        "number",
        ...unsendable.map((_, n) => `pool.unsendable ${n + 1}`),
        ...forThreads.map((_, n) =>
          isolate === "thread" ? "object" : `pool.unsendable ${unsendable.length + n + 1}`,
        ),
        "object",
        "number",
      ];
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : nameOf(one.reason))),
        expected,
      );
    });

    test("as a result", async () => {
      await using pool = new Pool({ workers: 1, isolate });
      const kinds = ["plain", "function", "symbol", "memory", "url", "signal", "counter", "plain"] as const;
      const settled = await pool.map(results, kinds, { chunkSize: 10, errors: "collect" });
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? typeof one.value : nameOf(one.reason))),
        [
          "object",
          "pool.unsendable-result 1",
          "pool.unsendable-result 2",
          isolate === "thread" ? "object" : "pool.unsendable-result 3",
          "pool.unsendable-result 4",
          "pool.unsendable-result 5",
          "pool.unsendable-result 6",
          "object",
        ],
      );
      await assert.rejects(pool.apply(results, "function"), { code: "pool.unsendable-result" });
    });
  });
}
