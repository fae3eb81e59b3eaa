import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { defineJob, type Job, run } from "../../../src/batch/index.ts";
import { openItems } from "../../../src/batch/internal.ts";
import { openStore, type Store } from "../../../src/store/index.ts";
import { choosy, fatal, passing, whereabouts } from "../fixtures/slow-transforms.ts";
import { MemoryTarget, NumberSource } from "../memory-ends.ts";

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

  async function runStep(step: NonNullable<Job<number, number>["transform"]>, count = 1_000) {
    const target = new MemoryTarget();
    const source = new NumberSource(count, 100);
    source.sliceItems = 40;
    const name = crypto.randomUUID();
    const handle = run(defineJob({ name, source, sink: target, shards: 1, transform: step }), { store });
    const notes: string[] = [];
    handle.on("note", (note) => notes.push(note));
    return { summary: await handle.summary(), effects: target.effects, notes };
  }

  /** Threads take their time to start on a busy machine, and the transform goes on here meanwhile: more items, until they ran. */
  async function inThreads(
    step: NonNullable<Job<number, number>["transform"]>,
    seen: (outcome: Awaited<ReturnType<typeof runStep>>) => boolean,
  ) {
    for (let count = 1_000; ; count *= 2) {
      const outcome = await runStep(step, count);
      if (seen(outcome) || count > 30_000) return { ...outcome, count };
    }
  }

  it("runs in threads, and its results keep their order", async () => {
    const threads = (effects: readonly number[]) => new Set(effects.map((each) => each % 100)).size;
    const { summary, effects, notes, count } = await inThreads(
      whereabouts,
      (seen) => threads(seen.effects) > 1,
    );
    assert.deepEqual([summary.state, summary.written], ["succeeded", count]);
    assert.deepEqual(
      effects.map((each) => Math.floor(each / 100)),
      upTo(count),
    );
    assert.ok(threads(effects) > 1, "it ran in one thread");
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
      assert.equal(reason, item % 10 === 0 ? `${item} is round` : `the transform threw: ${item} is odd`);
      assert.equal(code, item % 10 === 0 ? "item" : "transform");
    }
    assert.equal(reasons.length, 200);
  });

  it("that ends its worker costs that item alone", async () => {
    const { summary, effects, count } = await inThreads(fatal, ({ summary }) => summary.quarantined > 0);
    const dead = new Set<number>();
    for await (const { raw, reason } of openItems(store, summary.run)) {
      assert.equal(reason, "the transform ended its worker");
      dead.add(Number(Buffer.from(raw)));
    }
    assert.ok(dead.size > 0, "it ran in one thread");
    for (const item of dead) assert.equal(item % 500, 499);
    assert.deepEqual([summary.state, summary.quarantined], ["succeeded", dead.size]);
    assert.deepEqual(
      sorted(effects),
      upTo(count).filter((each) => !dead.has(each)),
    );
  });

  it("is tried again with its chunk when something outside failed", async () => {
    const marker = process.env.PAWL_TEST_MARKER as string;
    const { summary, effects, count } = await inThreads(passing, () => existsSync(marker));
    assert.ok(existsSync(marker), "it never failed");
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", count, 0]);
    assert.deepEqual(sorted(effects), upTo(count));
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
    // A sample is transformed before the run begins.
    assert.ok(calls >= 1_000);
    assert.match(notes.join(), /runs in one thread: make it with callable\(\).*calls/);
  });

  it("of a module that no worker can load runs here", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      join(import.meta.dirname, "../fixtures/unguarded-run.ts"),
      join(folder, "unguarded.db"),
    ]);
    assert.match(stdout, /runs in one thread.*import\.meta\.main/);
  });
});
