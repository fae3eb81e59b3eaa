import { test } from "node:test";
import { each, Pool } from "../../src/pool/index.ts";
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
