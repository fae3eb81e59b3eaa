import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  defineJob,
  ItemError,
  type Job,
  run,
  type SinkContext,
  TransientError,
} from "../../src/batch/index.ts";
import { findRun, openItems, pause, readProgress } from "../../src/batch/internal.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { fc, runs } from "../random.ts";
import { MemoryTarget, NumberSource, randomFaults } from "./memory-ends.ts";

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, at) => at);

describe("a run", () => {
  let folder: string;
  let store: Store;
  let target: MemoryTarget;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-batch-"));
  });
  beforeEach(async () => {
    store = await openStore(join(folder, `${crypto.randomUUID()}.db`));
    target = new MemoryTarget();
  });
  afterEach(async () => {
    await store.close();
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const job = (source: NumberSource, more: Partial<Job<number, number>> = {}) =>
    defineJob<number, number>({ name: "numbers", source, sink: target, shards: 2, ...more });

  it("writes every item once and accounts for all of them", async () => {
    const summary = await run(job(new NumberSource(1000)), { store }).summary();
    assert.equal(summary.state, "succeeded");
    assert.deepEqual(sorted(target.effects), upTo(1000));
    assert.deepEqual([summary.read, summary.written, summary.quarantined], [1000, 1000, 0]);
    assert.equal(target.finalized, 1);
  });

  it("that has ended has nothing to pause or cancel, although its store is closed", async () => {
    const handle = run(job(new NumberSource(10)), { store: join(folder, "ended.db") });
    await handle;
    await assert.rejects(handle.pause(), {
      code: "run.state",
      message: /is succeeded already: there is nothing to pause/,
    });
    await assert.rejects(handle.cancel(), { code: "run.state", message: /nothing to cancel/ });
  });

  it("that is at rest can be cancelled by its handle, although that has closed its store", async () => {
    const location = join(folder, "rest.db");
    const handle = run(job(new NumberSource(2000)), { store: location });
    handle.once("progress", () => void handle.pause());
    assert.equal((await handle.summary()).state, "paused");
    await handle.cancel();
    const again = await openStore(location);
    assert.equal((await findRun(again, await handle.id())).state, "cancelled");
    await again.close();
  });

  it("does not look at a PAWL_STORE that it does not use, and tells of a wrong one when it is awaited", async () => {
    const before = process.env.PAWL_STORE;
    process.env.PAWL_STORE = "s3://bucket/key";
    try {
      assert.equal((await run(job(new NumberSource(10)), { store })).state, "succeeded");
      await assert.rejects(async () => await run(job(new NumberSource(10))), { code: "store.unsupported" });
      const handle = run(job(new NumberSource(10)));
      await assert.rejects(handle.id(), { code: "store.unsupported" });
    } finally {
      if (before === undefined) delete process.env.PAWL_STORE;
      else process.env.PAWL_STORE = before;
    }
  });

  it("takes a job that is an instance of a class, with what its transform keeps", async () => {
    class Sum {
      name = "sum";
      source = new NumberSource(10);
      sink = target;
      sum = 0;
      transform(n: number) {
        this.sum += n;
        return n;
      }
    }
    const sum = new Sum();
    await run(defineJob(sum), { store });
    assert.equal(sum.sum, 45);
  });

  it("writes nothing of a source whose cursor or identity JSON would lose", async () => {
    const lost = { at: new Map([["part", 1]]) };
    const changes = (async () =>
      await run(job(new NumberSource(100, 10, lost as never)), { store }).summary())();
    await assert.rejects(changes, { code: "store.unstorable", message: /identity\.at is a Map/ });
    class Lost extends NumberSource {
      override async *read(...given: Parameters<NumberSource["read"]>) {
        for await (const chunk of super.read(...given)) yield { ...chunk, end: lost as never };
      }
    }
    const summary = await run(job(new Lost(100)), { store }).summary();
    assert.equal(summary.state, "failed");
    assert.match(
      summary.note ?? "",
      /cursor cannot be stored as JSON \(at is a Map\): nothing of it was written/,
    );
    assert.deepEqual(target.effects, []);
  });

  it("begins after a few items of the sample where the transform takes long", async () => {
    let sample: readonly unknown[] = [];
    const stop = new AbortController();
    const sink = {
      open: async (context: SinkContext) => {
        sample = await context.sample();
        stop.abort();
        return await target.open(context);
      },
    };
    const step = async (n: number) => {
      if (!stop.signal.aborted) await sleep(20);
      return n;
    };
    const summary = await run(job(new NumberSource(10_000), { sink, transform: step }), { store }).summary();
    assert.equal(summary.written, 10_000);
    assert.ok(sample.length > 0 && sample.length < 10_000, String(sample.length));
  });

  it("of an empty source succeeds with nothing", async () => {
    const summary = await run(job(new NumberSource(0)), { store }).summary();
    assert.deepEqual([summary.state, summary.read], ["succeeded", 0]);
  });

  it("counts what a transform returns, adds, drops and refuses", async () => {
    const summary = await run(
      job(new NumberSource(100), {
        transform: (item) => {
          if (item % 10 === 0) throw new ItemError(`${item} is round`);
          if (item % 10 === 1) return null;
          if (item % 10 === 2) return [item, item + 1000, item + 2000];
          if (item % 10 === 3) return [];
          return Promise.resolve(item);
        },
      }),
      { store },
    ).summary();
    assert.deepEqual(
      [summary.read, summary.added, summary.written, summary.skipped, summary.quarantined],
      [100, 20, 90, 20, 10],
    );
    const reasons: string[] = [];
    for await (const item of openItems(store, summary.run))
      reasons.push(`${item.at}: ${item.reason} ${Buffer.from(item.raw)}`);
    assert.equal(reasons[1], "number 10: 10 is round 10");
    assert.equal(reasons.length, 10);
  });

  it("quarantines once an item whose several results the target refused", async () => {
    target.refuse = (item) => (item >= 1000 ? "too large" : null);
    const summary = await run(
      job(new NumberSource(10), { transform: (item) => (item === 4 ? [item, 1004, 2004] : item) }),
      { store },
    ).summary();
    assert.deepEqual(
      [summary.state, summary.read, summary.written, summary.quarantined],
      ["succeeded", 10, 10, 1],
    );
  });

  it("takes an error of the transform for the item's and a TransientError for the world's", async () => {
    let troubles = 0;
    const summary = await run(
      job(new NumberSource(50), {
        transform: (item) => {
          if (item === 7) throw new TypeError("no seven");
          if (item === 20 && troubles++ < 2) throw new TransientError("api", "the API is down");
          return item;
        },
      }),
      { store },
    ).summary();
    assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 49, 1]);
    assert.deepEqual(
      sorted(target.effects),
      upTo(50).filter((item) => item !== 7),
    );
  });

  it("waits before an item is tried again as long as a server asked for by Retry-After", async () => {
    const calls: number[] = [];
    const transform = (item: number) => {
      if (item !== 20) return item;
      calls.push(performance.now());
      const answer = new Response(null, { status: 429, headers: { "retry-after": "1" } });
      if (calls.length === 1) throw new TransientError("the API is busy", { cause: answer });
      return item;
    };
    const { written } = await run(job(new NumberSource(50), { transform }), { store }).summary();
    const [first = 0, second = 0] = calls;
    assert.equal(written, 50);
    assert.ok(second - first >= 950, `${second - first} ms`);
  });

  it("commits each effect once whenever the connection drops", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1 }), fc.integer({ min: 1, max: 300 }), async (seed, count) => {
        target = new MemoryTarget();
        target.fault = randomFaults(seed, 0.1);
        target.refuse = (item) => (item % 13 === 0 ? "unlucky" : null);
        const summary = await run(job(new NumberSource(count), { key: `faults ${seed} ${count}` }), {
          store,
        }).summary();
        const lucky = upTo(count).filter((item) => item % 13 !== 0);
        assert.equal(summary.state, "succeeded");
        assert.deepEqual(sorted(target.effects), lucky);
        assert.equal(summary.quarantined, count - lucky.length);
        assert.equal(await store.quarantineCount(summary.run), summary.quarantined);
      }),
      { numRuns: runs(3) },
    );
  });

  it("stops when more items are quarantined than allowed, and goes on with a larger bound", async () => {
    target.refuse = (item) => (item % 2 === 0 ? "even" : null);
    const stopped = await run(job(new NumberSource(400), { maxQuarantined: 20 }), { store }).summary();
    assert.equal(stopped.state, "failed");
    assert.match(stopped.note ?? "", /more than the 20 that `maxQuarantined` allows/);
    assert.ok(stopped.read < 400);
    const done = await run(job(new NumberSource(400), { maxQuarantined: "60%" }), { store }).summary();
    assert.deepEqual(
      [done.run, done.state, done.read, done.quarantined],
      [stopped.run, "succeeded", 400, 200],
    );
    assert.deepEqual(
      sorted(target.effects),
      upTo(400).filter((item) => item % 2 === 1),
    );
  });

  it("pauses at the next chunk when any process asks for it, and continues where it stopped", async () => {
    target.delayMs = 5;
    const handle = run(job(new NumberSource(2000)), { store });
    const id = await handle.id();
    while (target.effects.length < 100) await new Promise((resolve) => setTimeout(resolve, 5));
    await pause(store, await findRun(store, id.slice(0, 6)));
    const paused = await handle.summary();
    assert.equal(paused.state, "paused");
    assert.ok(paused.read < 2000);
    target.delayMs = 0;
    const done = await run(job(new NumberSource(2000)), { store }).summary();
    assert.deepEqual([done.run, done.state, done.read], [id, "succeeded", 2000]);
    assert.deepEqual(sorted(target.effects), upTo(2000));
  });

  it("pauses although what is asked whether to wait fails each time", async () => {
    let asked = 0;
    const throttle = async () => {
      asked++;
      throw new TransientError("test.throttle", "no answer");
    };
    const handle = run(job(new NumberSource(100), { throttle: [throttle] }), { store });
    const id = await handle.id();
    while (asked < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await pause(store, await findRun(store, id));
    const { state, read } = await handle.summary();
    assert.deepEqual([state, read], ["paused", 0]);
  });

  it("ends for good when cancelled, and the next run begins from the start", async () => {
    target.delayMs = 5;
    const handle = run(job(new NumberSource(2000)), { store });
    while (target.effects.length < 50) await new Promise((resolve) => setTimeout(resolve, 5));
    await handle.cancel();
    const cancelled = await handle.summary();
    assert.equal(cancelled.state, "cancelled");
    target.delayMs = 0;
    const next = await run(job(new NumberSource(100)), { store }).summary();
    assert.notEqual(next.run, cancelled.run);
    assert.equal(next.state, "succeeded");
  });

  it("refuses to resume when the source has changed, and begins from the start with restart", async () => {
    target.refuse = () => "all bad";
    await run(job(new NumberSource(100), { maxQuarantined: 5 }), { store }).summary();
    target.refuse = () => null;
    const changed = new NumberSource(100, 10, "other numbers");
    await assert.rejects(
      async () => await run(job(changed), { store }).summary(),
      /has changed since run .* `restart: true`/,
    );
    assert.equal((await run(job(changed), { store, restart: true }).summary()).state, "succeeded");
  });

  it("says when it goes on with another transform than it began with", async () => {
    const steps = [(n: number) => n, (n: number) => n + 0];
    for (const [transformText, begun, resumed, told] of [
      [undefined, 0, 1, true],
      [undefined, 1, 1, false],
      [["a", "b"], 0, 0, true],
      [["a", "a"], 0, 1, false],
    ] as const) {
      const key = `${transformText} ${begun} ${resumed}`;
      const with_ = (which: 0 | 1, at: 0 | 1) => ({
        key,
        transform: steps[which] as (n: number) => number,
        ...(transformText === undefined ? {} : { transformText: transformText[at] }),
      });
      target.refuse = () => "all bad";
      const first = await run(job(new NumberSource(100), { ...with_(begun, 0), maxQuarantined: 5 }), {
        store,
      }).summary();
      assert.equal(first.state, "failed");
      target.refuse = () => null;
      const notes: string[] = [];
      const handle = run(job(new NumberSource(100), with_(resumed, 1)), { store });
      handle.on("note", (note) => notes.push(note));
      assert.deepEqual(
        [(await handle.summary()).run, (await handle.summary()).state],
        [first.run, "succeeded"],
      );
      assert.equal(
        /^The transform has changed since the run began: .*`restart: true`/m.test(notes.join("\n")),
        told,
        key,
      );
    }
  });

  it("refuses work that is being done already", async () => {
    target.delayMs = 10;
    const first = run(job(new NumberSource(500)), { store });
    while (target.effects.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
    await assert.rejects(
      async () => await run(job(new NumberSource(500)), { store }).summary(),
      /already running as run/,
    );
    target.delayMs = 0;
    assert.equal((await first.summary()).state, "succeeded");
  });

  it("keeps its checkpoint in the store for a sink that is only idempotent", async () => {
    target.guarantee = "idempotent";
    target.fault = randomFaults(42, 0.05);
    const summary = await run(job(new NumberSource(500)), { store }).summary();
    assert.deepEqual([summary.state, summary.written], ["succeeded", 500]);
    assert.deepEqual(sorted([...new Set(target.effects)]), upTo(500));
  });

  it("refuses a sink without any guarantee unless the job accepts repetition", async () => {
    target.guarantee = "none";
    await assert.rejects(
      async () => await run(job(new NumberSource(10)), { store }).summary(),
      /`atLeastOnce: true`/,
    );
    const summary = await run(job(new NumberSource(10), { atLeastOnce: true }), { store }).summary();
    assert.equal(summary.state, "succeeded");
  });

  it("waits while a throttle gives a reason and shows it", async () => {
    const seen = new Set<string | null>();
    const shown = "waiting: replica lags";
    const handle = run(
      job(new NumberSource(30), {
        throttle: [() => (seen.has(shown) ? null : "replica lags"), () => null],
      }),
      { store },
    );
    handle.on("progress", (progress) => seen.add(progress.note));
    assert.equal((await handle.summary()).state, "succeeded");
    assert.ok(seen.has(shown));
  });

  it("can be looked at after it ended: counts, history, shards", async () => {
    const summary = await run(job(new NumberSource(100)), { store }).summary();
    const record = await findRun(store, "last");
    const progress = await readProgress(store, record);
    assert.equal(record.id, summary.run);
    assert.ok(progress.shards.every((shard) => shard.state === "succeeded"));
    assert.equal(progress.counts.read, 100);
    assert.ok((await store.samples(summary.run)).length >= 1);
  });
});
