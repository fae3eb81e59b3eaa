import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { defineJob, type Job, openItems, run } from "../../src/batch/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { choosy, fatal, passing, whereabouts } from "./fixtures/slow-steps.ts";
import { MemoryTarget, NumberSource } from "./memory-ends.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, at) => at);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

describe("a step that takes long", { skip: availableParallelism() < 2 && "one core" }, () => {
  let folder: string;
  let store: Store;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-steps-"));
    process.env.PAWL_TEST_MARKER = join(folder, "passed");
    store = await openStore(join(folder, "store.db"));
  });
  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function runStep(step: NonNullable<Job<number, number>["step"]>, count = 1_000) {
    const target = new MemoryTarget();
    const source = new NumberSource(count, 100);
    source.sliceItems = 40;
    const name = crypto.randomUUID();
    const handle = run(defineJob({ name, source, sink: target, concurrency: 1, step }), { store });
    const notes: string[] = [];
    handle.on("note", (note) => notes.push(note));
    return { summary: await handle, effects: target.effects, notes };
  }

  it("runs in threads, and its results keep their order", async () => {
    const { summary, effects, notes } = await runStep(whereabouts);
    assert.deepEqual([summary.state, summary.written], ["succeeded", 1_000]);
    assert.deepEqual(
      effects.map((each) => Math.floor(each / 100)),
      upTo(1_000),
    );
    assert.ok(new Set(effects.map((each) => each % 100)).size > 1, "it ran in one thread");
    assert.match(notes.join(), /may run in \d+ threads/);
  });

  it("adds, drops and refuses there as it does here", async () => {
    const { summary, effects } = await runStep(choosy);
    assert.deepEqual(
      [summary.read, summary.added, summary.written, summary.skipped, summary.quarantined],
      [1_000, 100, 800, 100, 200],
    );
    assert.equal(new Set(effects).size, 800);
    const reasons: string[] = [];
    for await (const { shard, ordinal, raw, reason, code } of openItems(store, summary.run)) {
      const item = Number(Buffer.from(raw));
      reasons.push(`${code}: ${reason}`);
      assert.equal(item, shard * 250 + ordinal);
      assert.equal(reason, item % 10 === 0 ? `${item} is round` : `the step threw: ${item} is odd`);
      assert.equal(code, item % 10 === 0 ? "item" : "step");
    }
    assert.equal(reasons.length, 200);
  });

  it("that ends its worker costs that item alone", async () => {
    const { summary, effects } = await runStep(fatal);
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 999, 1]);
    assert.deepEqual(
      sorted(effects),
      upTo(1_000).filter((each) => each !== 700),
    );
    for await (const { reason } of openItems(store, summary.run))
      assert.equal(reason, "the step ended its worker");
  });

  it("is tried again with its chunk when something outside failed", async () => {
    const { summary, effects } = await runStep(passing);
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 1_000, 0]);
    assert.deepEqual(sorted(effects), upTo(1_000));
  });

  it("that uses what is around it stays in this thread, and says how it could do better", async () => {
    let calls = 0;
    const { summary, notes } = await runStep((item) => {
      const end = performance.now() + 0.5;
      while (performance.now() < end);
      calls++;
      return item;
    });
    assert.equal(summary.written, 1_000);
    // A sample is stepped before the run begins.
    assert.ok(calls >= 1_000);
    assert.match(notes.join(), /runs in one thread: make it with callable\(\).*calls/);
  });

  it("of a module that no worker can load runs here", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      join(import.meta.dirname, "fixtures/unguarded-run.ts"),
      join(folder, "unguarded.db"),
    ]);
    const { written, quarantined, notes } = JSON.parse(stdout);
    assert.deepEqual([written, quarantined], [1_000, 0]);
    assert.match(notes.join(), /runs in one thread.*import\.meta\.main/);
  });
});
