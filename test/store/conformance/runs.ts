import assert from "node:assert/strict";
import { test } from "node:test";
import { type NewRun, PawlError, type RunState } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";

export function newRun(id: string, more: Partial<NewRun> = {}): NewRun {
  return {
    id,
    job: { name: "load", module: "file:///job.ts", params: { table: "people" } },
    key: `key of ${id}`,
    identity: { size: 5 },
    ...more,
  };
}

/** Runs and their history. */
export function runs(current: Current): void {
  test("a run is stored whole and begins as pending", async () => {
    const { store, clock } = current();
    const { run, created } = await store.createRun(newRun("r1", { replayOf: "r0", details: { plan: null } }));
    assert.equal(created, true);
    assert.deepEqual(run, {
      ...newRun("r1"),
      replayOf: "r0",
      state: "pending",
      note: null,
      details: { plan: null },
      createdAt: clock.wall(),
      updatedAt: clock.wall(),
      finishedAt: null,
    });
    assert.deepEqual(await store.run("r1"), run);
    assert.equal(await store.run("r2"), undefined);
    const { run: bare } = await store.createRun(newRun("r3"));
    assert.equal(bare.details, null);
  });

  test("only one run of a key is unfinished at a time", async () => {
    const { store } = current();
    const key = "people.csv into people";
    await store.createRun(newRun("r1", { key }));
    const again = await store.createRun(newRun("r2", { key }));
    assert.deepEqual([again.created, again.run.id], [false, "r1"]);
    assert.equal(await store.updateRun("r1", ["pending"], { state: "failed" }), true);
    assert.equal((await store.createRun(newRun("r3", { key }))).created, true);
    await assert.rejects(store.updateRun("r1", ["failed"], { state: "running" }), {
      name: "PawlError",
      code: "store.run-elsewhere",
    });
    assert.equal((await store.run("r1"))?.state, "failed");
  });

  test("of many that create a run with one key at the same moment, one succeeds", async () => {
    const { store, reopen } = current();
    const stores = [store, await reopen(), await reopen()];
    const results = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) => stores[n % 3]?.createRun(newRun(`r${n}`, { key: "same" }))),
    );
    assert.equal(results.filter((result) => result?.created).length, 1);
    assert.equal(new Set(results.map((result) => result?.run.id)).size, 1);
  });

  test("an id that was used before is refused", async () => {
    const { store } = current();
    await store.createRun(newRun("r1"));
    await assert.rejects(store.createRun(newRun("r1", { key: "other" })), PawlError);
  });

  test("a run changes only from the states it is expected in", async () => {
    const { store, clock } = current();
    await store.createRun(newRun("r"));
    clock.advance(5);
    assert.equal(await store.updateRun("r", ["running", "paused"], { state: "succeeded" }), false);
    assert.equal(await store.updateRun("none", ["pending"], { state: "running" }), false);
    assert.equal(
      await store.updateRun("r", ["pending"], { state: "running", note: "on", details: [1] }),
      true,
    );
    assert.equal(await store.updateRun("r", ["running"], { identity: "new" }), true);
    const run = await store.run("r");
    assert.deepEqual([run?.state, run?.note, run?.details, run?.identity], ["running", "on", [1], "new"]);
    assert.deepEqual([run?.updatedAt, run?.finishedAt], [clock.wall(), null]);
    assert.equal(await store.updateRun("r", ["running"], { note: null }), true);
    assert.equal((await store.run("r"))?.note, null);
  });

  test("a final state stamps the end, and going on erases it", async () => {
    const { store, clock } = current();
    await store.createRun(newRun("r"));
    let state: RunState = "pending";
    for (const next of ["running", "succeeded", "running", "failed", "running", "cancelled"] as const) {
      clock.advance(10);
      assert.equal(await store.updateRun("r", [state], { state: next }), true);
      assert.equal((await store.run("r"))?.finishedAt, next === "running" ? null : clock.wall());
      state = next;
    }
  });

  test("runs are listed newest first, whatever the clock did, by prefix and key", async () => {
    const { store, clock } = current();
    for (const id of ["ab1", "ab2", "b_1", "bx1"]) {
      await store.createRun(newRun(id));
      clock.setWall(-1_000);
    }
    const list = async (filter: Parameters<typeof store.runs>[0]) =>
      (await store.runs(filter)).map((run) => run.id);
    assert.deepEqual(await list({}), ["bx1", "b_1", "ab2", "ab1"]);
    assert.deepEqual(await list({ idPrefix: "ab" }), ["ab2", "ab1"]);
    assert.deepEqual(await list({ idPrefix: "b_" }), ["b_1"]);
    assert.deepEqual(await list({ idPrefix: "a%" }), []);
    assert.deepEqual(await list({ limit: 1 }), ["bx1"]);
    assert.deepEqual(await list({ key: "key of ab1" }), ["ab1"]);
  });

  test("a long history is thinned evenly and keeps its first and latest points", async () => {
    const { store, clock } = current();
    await store.createRun(newRun("r"));
    const start = clock.wall();
    for (let n = 0; n < 850; n++) {
      await store.addSample("r", { n });
      clock.advance(1_000);
    }
    const samples = await store.samples("r");
    assert.ok(samples.length <= 402 && samples.length >= 200, `${samples.length} points`);
    const numbers = samples.map(({ at, value }) => {
      const { n } = value as { n: number };
      assert.equal(at, start + n * 1_000);
      return n;
    });
    assert.equal(numbers[0], 0);
    assert.equal(numbers.at(-1), 849);
    const gaps = numbers.slice(1).map((n, index) => n - (numbers[index] ?? 0));
    assert.ok(Math.max(...gaps) <= 4, "no hole in the history");
    assert.ok(Math.min(...gaps) > 0, "in order");
    assert.deepEqual(await store.samples("none"), []);
    await assert.rejects(store.addSample("none", 1), PawlError);
  });
}
