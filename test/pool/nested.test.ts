import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { type Isolation, Pool } from "../../src/pool/index.ts";
import { deeper, keeping, pooled } from "./fixtures/pools-inside.ts";

const run = promisify(execFile);
const kinds = ["thread", "process"] as const satisfies Isolation[];
const expected = {
  doubled: [0, 2, 4, 6, 8, 10],
  streamed: [-1, 1, 3, 5, 7, 9],
  sum: 3,
  failed: [null, "no 3 left"],
};

for (const outer of kinds) {
  for (const inner of kinds) {
    test(`a ${outer} of a pool has a pool of its own (${inner})`, async () => {
      await using pool = new Pool({ workers: 2, isolate: outer });
      const items: [Isolation, number][] = [
        [inner, 6],
        [inner, 6],
      ];
      assert.deepEqual(await pool.starmap(pooled, items, { chunkSize: 1 }), [expected, expected]);
      // The pool that is left open inside ends with its worker.
      assert.deepEqual(
        await pool.starmap(
          keeping,
          [1, 2, 3].map((n): [Isolation, number] => [inner, n]),
          { chunkSize: 1 },
        ),
        [2, 4, 6],
      );
      await pool.close();
    });
  }
}

test("pools go as deep as they are asked to", async () => {
  assert.equal(await deeper(["thread", "process", "thread", "process"]), 4);
});

test("a thread that the user started has a pool", async () => {
  for (const inner of kinds) {
    const worker = new Worker(new URL("./fixtures/pool-in-thread.ts", import.meta.url), {
      workerData: inner,
    });
    const [told] = await once(worker, "message");
    assert.deepEqual(told, expected);
    await worker.terminate();
  }
});

test("what Node was told about the program alone is not told to its processes", async () => {
  const tasks = fileURLToPath(new URL("./fixtures/pools-inside.ts", import.meta.url));
  const code = `
    import { pooled } from ${JSON.stringify(tasks)};
    console.log(JSON.stringify([await pooled("thread", 6), await pooled("process", 6)]));
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--inspect=0", "--eval", code]);
  assert.deepEqual(JSON.parse(stdout), [expected, expected]);
});
