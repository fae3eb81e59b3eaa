import assert from "node:assert/strict";
import { test } from "node:test";
import { actor, each, PawlError, Pool, wait } from "../../src/pool/index.ts";
import { assertSaid, ODD } from "../odd.ts";

test("options of a pool and of its calls are taken, or refused in a sentence, whatever they are", async () => {
  await using pool = new Pool({ workers: 1 });
  const same = (n: number) => n;
  for (const odd of ODD) {
    const any = odd as never;
    for (const option of [
      "workers",
      "isolate",
      "maxTasksPerWorker",
      "maxMemoryPerWorker",
      "maxHeapPerWorker",
      "idle",
      "startTimeout",
    ])
      await assertSaid(`${option} of a pool`, () => new Pool({ [option]: odd }).terminate());
    await assertSaid("options of a pool", () => new Pool(any).terminate());
    for (const option of ["timeout", "chunkSize", "crashRetries", "signal", "errors"]) {
      await assertSaid(`${option} of map`, () => pool.map(same, [], { [option]: odd }));
      await assertSaid(`${option} of imap`, () => pool.imap(same, [], { [option]: odd }).next());
    }
    await assertSaid("options of map", () => pool.map(same, [], any));
    await assertSaid("options of imap", () => pool.imap(same, [], any).next());
    await assertSaid("options of submitWith", () => pool.submitWith(any, same, 1).result());
    await assertSaid("options of result", () => pool.submit(same, 1).result(any));
    await assertSaid("options of each", () => each([], async () => {}, any));
  }
});

test("an option that would be dropped without a word is refused by its name", async () => {
  await using pool = new Pool({ workers: 1 });
  const same = (n: number) => n;
  const refusal = async (work: () => unknown): Promise<unknown> => {
    try {
      await work();
      return null;
    } catch (error) {
      return error;
    }
  };
  const refused = async (name: string, work: () => unknown) => {
    const error = await refusal(work);
    assert.ok(error instanceof PawlError, name);
    assert.match(error.message, new RegExp(`^(There is no option|The option) "?${name}\\b`));
  };
  const typo = { timout: 5 } as never;
  await refused("worker", () => new Pool({ worker: 2 } as never));
  await refused("timout", () => pool.map(same, [1], typo));
  await refused("timout", () => pool.starmap(same, [[1]], typo));
  await refused("timout", () => pool.imap(same, [1], typo).next());
  await refused("timout", () => pool.imapUnordered(same, [1], typo).next());
  await refused("signal", () => pool.submitWith({ signal: AbortSignal.abort() } as never, same, 1));
  await refused("timout", () => pool.submit(same, 1).result(typo));
  await refused("timout", () => wait([], typo));
  await refused("until", () => wait([], { until: "constructor" as never }));
  await refused("timout", () => each([], async () => {}, typo));
  const ordered = await refusal(() => each([], async () => {}, { ordered: "no" as never }));
  assert.match(String(ordered), /The option ordered must be true or false/);
  await refused("time", () => each([], async () => {}, { retries: { times: 1, time: 2 } as never }));
  await refused("timeout.soft", () => pool.map(same, [1], { timeout: { soft: 5, hard: 1 } }));
  await refused("saveEach", () => actor(class Kept {}, [], { saveEach: 1 } as never));
  // Node would end the whole program.
  for (const isolate of ["thread", "process"] as const)
    for (const bytes of [1, 512, 8 * 1024 * 1024])
      await refused("maxHeapPerWorker", () => new Pool({ isolate, maxHeapPerWorker: bytes }));
  await refused("maxHeap", () => actor(class Kept {}, [], { maxHeap: 512 }));
  assert.deepEqual(await pool.map(same, [1], { timeout: undefined, timout: undefined } as never), [1]);
});
