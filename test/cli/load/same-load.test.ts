import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { asInterruptedLoad } from "../../../src/cli/load/interrupted-loads.ts";
import { loadKey, loadReference } from "../../../src/cli/load/job.ts";
import { type LoadFlags, loadParams } from "../../../src/cli/load/load.ts";
import { openStore } from "../../../src/store/index.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";

test("a load that says what its file and table tell anyway is the interrupted one that does not, and the other way round", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-same-"));
  const server = await TestServer.shared();
  const url = await server.createDatabase();
  await using client = await TestClient.connect(url);
  try {
    await client.query(
      "CREATE TABLE t (b int, a int, c int UNIQUE, PRIMARY KEY (b, a)); CREATE TABLE k (a int)",
    );
    const file = join(folder, "a.csv");
    await writeFile(file, "a;b;c\n1;2;3\n");
    const paramsOf = async (flags: Partial<LoadFlags>) => ({
      ...(await loadParams([file], { table: "t", header: true, ...flags })),
      into: url,
    });
    /** Whether a load by the second flags goes on with an interrupted one by the first. */
    const isSame = async (first: Partial<LoadFlags>, second: Partial<LoadFlags>, hasPipe = false) => {
      await using store = await openStore(join(folder, `${crypto.randomUUID()}.db`));
      const before = await paramsOf(first);
      await store.createRun({
        id: "abcdefghjk",
        job: loadReference(before, { maxQuarantined: 3 }),
        key: loadKey(before),
        identity: null,
        details: { dialect: { delimiter: before.csv.delimiter ?? ";" } },
      });
      const after = await asInterruptedLoad(await paramsOf(second), { url, store, hasPipe });
      return loadKey(after) === loadKey(before);
    };
    const both = async (one: Partial<LoadFlags>, other: Partial<LoadFlags>) => [
      await isSame(one, other),
      await isSame(other, one),
    ];
    const [same, others] = [
      [true, true],
      [false, false],
    ];
    assert.deepEqual(await both({}, { delimiter: ";" }), same);
    assert.deepEqual(await both({}, { delimiter: "," }), others);
    assert.deepEqual(await both({ delimiter: "," }, { delimiter: ";" }), others);
    assert.deepEqual(await both({}, { key: "a,b" }), same);
    assert.deepEqual(await both({}, { key: "c" }), others);
    assert.deepEqual(await both({ key: "c" }, { key: "b,a" }), others);
    assert.deepEqual(await both({ table: "k" }, { table: "k", key: "a" }), others);
    assert.deepEqual(await both({ key: "b,a" }, { delimiter: ";" }), same);
    assert.deepEqual(await both({ key: "b,a", trim: true }, { delimiter: ";" }), others);
    // A pipe cannot be looked into, but what was found in it is known.
    assert.deepEqual(
      [await isSame({}, { delimiter: ";" }, true), await isSame({ delimiter: ";" }, {}, true)],
      [true, false],
    );
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
