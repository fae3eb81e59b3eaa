import assert from "node:assert/strict";
import { test } from "node:test";
import { TransientError } from "../../../src/batch/index.ts";
import { Transform } from "../../../src/batch/transform/transform.ts";
import type { TransformWorkers } from "../../../src/batch/transform/transform-workers.ts";
import type { Settled } from "../../../src/pool/index.ts";

test("items of a slice that failed for a while are called again after the longest time that was asked for", async () => {
  const busy = (seconds?: number) =>
    Object.assign(new TransientError("test.busy", `busy for ${seconds}`), seconds && { retryAfter: seconds });
  for (const asked of [[0.3, 0.01], [0.01, 0.3], [0.01, 0.3, undefined], [undefined]]) {
    let calls = 0;
    const workers = {
      worthwhile: true,
      threads: 2,
      observe() {},
      accept: async () => true,
      map: async (items: readonly unknown[]): Promise<Settled<unknown>[]> => {
        const isFirst = calls++ === 0;
        return items.map((value, at) =>
          isFirst && at < asked.length
            ? { status: "rejected", reason: busy(asked[at]) }
            : { status: "fulfilled", value },
        );
      },
    };
    const transform = new Transform({
      transform: (item) => item,
      workers: workers as unknown as TransformWorkers,
      patienceMs: 10_000,
    });
    const items = [1, 2, 3, 4];
    const source = {
      items: items.length,
      bytes: 1,
      end: null,
      async *slices() {
        yield items;
      },
    };
    const { signal } = new AbortController();
    const troubles: unknown[] = [];
    const signals = { stop: signal, end: signal, onTrouble: (error: unknown) => troubles.push(error) };
    const began = performance.now();
    const { output } = await transform.chunk(source as never, 1, signals);
    const given: unknown[] = [];
    for await (const slice of output.slices()) given.push(...slice);
    assert.deepEqual(given, items);
    const longest = Math.max(...asked.map((each) => each ?? 0));
    assert.deepEqual(
      troubles.map((each) => (each as { retryAfter?: number }).retryAfter ?? 0),
      [longest],
    );
    assert.ok(performance.now() - began >= longest * 1_000);
  }
});
