import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ChunkSize,
  type Cursor,
  defineJob,
  type Job,
  PawlError,
  type RunHandle,
  type RunSummary,
  run,
  type Shard,
  TransientError,
} from "../../../src/batch/index.ts";
import { cancel, execute, findRun, pause, prepare } from "../../../src/batch/internal.ts";
import { openStore, type Store } from "../../../src/store/index.ts";
import { MemoryTarget, NumberSource } from "../memory-ends.ts";

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, at) => at);
const never = () => new Promise<never>(() => {});

/** How an idle source may take the signal that tells it to end. */
const MANNERS = ["ignores its signal", "throws when told to end", "ends without a word"] as const;

/** Numbers that stop coming after a while, until they are let go on. */
class IdleSource extends NumberSource {
  readonly #manner: (typeof MANNERS)[number];
  readonly #gives: number;
  idle = Promise.withResolvers<void>();
  flows = false;

  constructor(count: number, gives: number, manner: (typeof MANNERS)[number]) {
    super(count, 5);
    this.#gives = gives;
    this.#manner = manner;
  }

  override async shards(_n: number, ordering: { kind: string }) {
    const { shards } = await super.shards(1, ordering);
    // The number of items does not show that some are missing.
    return { shards: shards.map((shard) => ({ ...shard, items: null })), duplicates: null, notes: [] };
  }

  override async *read(shard: Shard, cursor: Cursor | null, pace: ChunkSize, signal: AbortSignal) {
    let given = 0;
    for await (const chunk of super.read(shard, cursor, pace, new AbortController().signal)) {
      if (!this.flows && given >= this.#gives) {
        this.idle.resolve();
        if (this.#manner === "ignores its signal") await never();
        await new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => resolve(), { once: true });
          if (signal.aborted) resolve();
        });
        if (this.#manner === "ends without a word") return;
        signal.throwIfAborted();
      }
      given += chunk.items;
      yield chunk;
    }
  }
}

// What waits here would wait for ever if the engine waited for it: no clock is looked at.
describe("a run that is told to stop", { timeout: 60_000 }, () => {
  let folder: string;
  let store: Store;
  let target: MemoryTarget;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-stop-"));
    store = await openStore(join(folder, "store.db"));
  });
  beforeEach(() => {
    target = new MemoryTarget();
  });
  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const job = (more: Partial<Job<number, number>> & { source: NumberSource }) =>
    defineJob<number, number>({ name: crypto.randomUUID(), sink: target, shards: 1, ...more });

  async function stopped(handle: RunHandle, what: typeof pause | typeof cancel): Promise<RunSummary> {
    await what(store, await findRun(store, await handle.id()));
    return await handle.summary();
  }

  for (const manner of MANNERS) {
    it(`does not wait for an idle source that ${manner}, and loses nothing of it`, async () => {
      const source = new IdleSource(40, 15, manner);
      const one = job({ source });
      const handle = run(one, { store });
      await source.idle.promise;
      const paused = await stopped(handle, pause);
      assert.equal(paused.state, "paused");
      assert.deepEqual(sorted(target.effects), upTo(paused.read), "what is counted is what was committed");
      source.flows = true;
      const summary = await run(one, { store }).summary();
      assert.deepEqual([summary.state, summary.read], ["succeeded", 40]);
      assert.deepEqual(sorted(target.effects), upTo(40));
    });

    it(`is not complete because a source ${manner} when its worker leaves`, async () => {
      const source = new IdleSource(40, 15, manner);
      const one = job({ source });
      const prepared = await prepare(one, { store });
      const leave = new AbortController();
      void source.idle.promise.then(() => leave.abort());
      const left = await execute(prepared, { scratch: folder, leave: leave.signal });
      assert.equal(left.state, "running");
      assert.ok(left.counts.read < 40, String(left.counts.read));
      source.flows = true;
      const summary = await run(one, { store }).summary();
      assert.deepEqual([summary.state, summary.read], ["succeeded", 40]);
      assert.deepEqual(sorted(target.effects), upTo(40));
    });
  }

  it("ends in one sentence when the file of its store is removed", async () => {
    const home = join(folder, "removed");
    await using gone = await openStore(join(home, "store.db"));
    let steps = 0;
    const step = async (n: number) => {
      if (++steps === 20) await rm(home, { recursive: true });
      return n;
    };
    const handle = run(job({ source: new NumberSource(1_000, 5), transform: step }), { store: gone });
    await assert.rejects(async () => await handle.summary(), { code: "store.gone" });
    assert.ok(target.effects.length < 1_000, String(target.effects.length));
  });

  for (const what of [pause, cancel]) {
    it(`with a thousand shards is at rest after a ${what.name} without a claim of each of them`, async () => {
      class Cut extends NumberSource {
        override async shards() {
          return await super.shards(1_000, { kind: "any" });
        }
      }
      const begun = Promise.withResolvers<void>();
      const step = async (n: number) => {
        begun.resolve();
        return n;
      };
      const handle = run(job({ source: new Cut(2_000, 5), transform: step, shards: 2 }), { store });
      await begun.promise;
      const summary = await stopped(handle, what);
      assert.equal(summary.state, what === pause ? "paused" : "cancelled");
      const tasks = await store.query({ flow: await handle.id() });
      assert.equal(tasks.length, 1_001);
      // Those that were worked on by then, and a few that were just claimed.
      const claimed = tasks.filter(({ fence, state }) => fence > 0 && state !== "succeeded");
      assert.ok(claimed.length < 50, `${claimed.length} were claimed`);
    });
  }

  it("is not resumed while it is being cancelled, and gives way to a new run once no worker works on it", async () => {
    const source = new IdleSource(40, 15, "ignores its signal");
    const one = job({ source });
    const handle = run(one, { store });
    await source.idle.promise;
    await stopped(handle, pause);
    const id = await handle.id();
    // As a process leaves it that is killed before it has come to the end that it was asked for.
    await store.updateRun(id, ["paused"], { state: "cancelling" });
    const refused = {
      code: "run.state",
      message: /^Run \w+ is being cancelled and cannot be resumed: [^\n]+\.$/,
    };
    await assert.rejects(prepare(one, { store, run: await findRun(store, id) }), refused);
    assert.equal((await findRun(store, id)).state, "cancelling");
    source.flows = true;
    const next = run(one, { store });
    assert.equal((await next.summary()).read, 40);
    assert.notEqual(await next.id(), id);
    assert.equal((await findRun(store, id)).state, "cancelled");
  });

  it("ends when it is interrupted, though its store takes nothing, and goes on with what was committed", async () => {
    const interrupt = new AbortController();
    // As on a full disk: what is there can be read.
    const full = new Proxy(store, {
      get(target, name) {
        const own: unknown = Reflect.get(target, name, target);
        if (typeof own !== "function") return own;
        const writes = ["updateRun", "settle", "progress", "sweep", "enqueue", "heartbeat"].includes(
          String(name),
        );
        return (...given: unknown[]) =>
          writes && interrupt.signal.aborted
            ? Promise.reject(new TransientError("store.full", "The disk that holds the store is full."))
            : own.apply(target, given);
      },
    });
    let steps = 0;
    const step = async (n: number) => {
      if (++steps === 40) interrupt.abort();
      return n;
    };
    const numbers = job({ source: new NumberSource(1_000, 5), transform: step });
    const prepared = await prepare(numbers, { store: full });
    const executed = execute(prepared, { scratch: folder, signal: interrupt.signal, leaseMs: 1_000 });
    await assert.rejects(executed, {
      code: "run.interrupted",
      message: /The disk that holds the store is full/,
    });
    assert.ok(target.effects.length < 1_000, String(target.effects.length));
    // Until the lease has expired, as that of a process that was killed on another machine.
    let again: RunSummary | null = null;
    while (again === null) {
      again = await (async () => await run(numbers, { store }).summary())().catch((error: PawlError) => {
        if (error.code !== "run.busy") throw error;
        return null;
      });
    }
    assert.equal(again.state, "succeeded");
    assert.deepEqual(sorted(target.effects), upTo(1_000));
  });

  it("comes to its end when it is cancelled just as it comes to its pause", async () => {
    const source = new IdleSource(40, 15, "ignores its signal");
    // The moment between the pause and the settlement of the lead, whose lease lets `cancel` leave the rest to it.
    const between = new Proxy(store, {
      get(of, name) {
        const value = Reflect.get(of, name);
        if (typeof value !== "function") return value;
        if (name !== "settle") return value.bind(of);
        return async (...args: Parameters<Store["settle"]>) => {
          const record = await findRun(store, await handle.id());
          if (record.state === "paused") await cancel(store, record);
          return await store.settle(...args);
        };
      },
    });
    const handle: RunHandle = run(job({ source }), { store: between });
    await source.idle.promise;
    const summary = await stopped(handle, pause);
    assert.equal(summary.state, "cancelled");
    assert.deepEqual(sorted(target.effects), upTo(summary.written));
  });

  it("is brought to rest by a second order where the process that heard the first one has died", async () => {
    const record = (await prepare(job({ source: new NumberSource(5) }), { store })).run;
    await store.updateRun(record.id, ["pending"], { state: "cancelling" });
    assert.equal((await cancel(store, record)).state, "cancelled");
  });

  it("does not wait for transforms that never end, and calls them again", async () => {
    let hangs = true;
    const hung = Promise.withResolvers<void>();
    const one = job({
      source: new NumberSource(60, 20),
      transform: async (item) => {
        if (hangs && item === 25) {
          hung.resolve();
          await never();
        }
        return item;
      },
    });
    const handle = run(one, { store });
    await hung.promise;
    const summary = await stopped(handle, cancel);
    assert.equal(summary.state, "cancelled");
    assert.deepEqual(sorted(target.effects), upTo(summary.written));
    hangs = false;
    target = new MemoryTarget();
    assert.equal((await run({ ...one, sink: target }, { store })).written, 60);
  });

  it("lets calls under way end, begins no more, and calls no item twice that was answered", async () => {
    const calls: number[] = [];
    const answered: number[] = [];
    let under = 0;
    let most = 0;
    const begun = Promise.withResolvers<void>();
    const source = new NumberSource(400, 10);
    const one = job({
      source,
      shards: 2,
      concurrency: 6,
      transform: async (item) => {
        calls.push(item);
        most = Math.max(most, ++under);
        if (calls.length > 90) begun.resolve();
        await sleep(5);
        under--;
        answered.push(item);
        return item;
      },
    });
    const handle = run(one, { store });
    await begun.promise;
    const paused = await stopped(handle, pause);
    assert.equal(paused.state, "paused");
    assert.deepEqual(sorted(target.effects).length, paused.written);
    const summary = await run(one, { store }).summary();
    assert.deepEqual(sorted(target.effects), upTo(400));
    assert.equal(summary.state, "succeeded");
    assert.equal(most, 6);
    // Of the samples and of what was under way; of each of the two shards one chunk may have been given up.
    assert.ok(calls.length <= 400 + 2 * 10 + 90, String(calls.length));
  });

  it("does not wait for the next attempt after trouble", async () => {
    const tried = Promise.withResolvers<void>();
    let tries = 0;
    target.fault = (moment) => {
      if (moment !== "before") return;
      // By then the wait is longer than any test.
      if (++tries === 4) tried.resolve();
      throw new TransientError("test", "the target is away");
    };
    const handle = run(job({ source: new NumberSource(10) }), { store });
    await tried.promise;
    assert.equal((await stopped(handle, pause)).state, "paused");
  });

  it("waits for no throttle, plan or connection that never answers", async () => {
    const asked = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    const [throttle, plan, writer] = asked.map(({ resolve }) => () => {
      resolve();
      return never();
    }) as [() => Promise<never>, () => Promise<never>, () => Promise<never>];
    const planless = Object.assign(new NumberSource(10), { shards: plan });
    const connecting = {
      open: async (context: { run: string }) => ({ ...(await target.open(context)), writer }),
    };
    const jobs = [
      job({ source: new NumberSource(10), throttle: [throttle] }),
      job({ source: planless }),
      job({ source: new NumberSource(10), sink: connecting }),
    ];
    for (const [at, one] of jobs.entries()) {
      const handle = run(one, { store });
      await asked[at]?.promise;
      assert.equal((await stopped(handle, pause)).state, "paused");
    }
  });
});

describe("a step that waits", { timeout: 60_000 }, () => {
  let folder: string;
  let store: Store;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-waits-"));
    store = await openStore(join(folder, "store.db"));
  });
  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("is called side by side, no more at once than allowed, and its results keep their order", async () => {
    const target = new MemoryTarget();
    const source = new NumberSource(300, 50);
    let under = 0;
    let most = 0;
    const notes: string[] = [];
    const handle = run(
      defineJob<number, number>({
        name: "side by side",
        source,
        sink: target,
        shards: 1,
        transform: async (item) => {
          most = Math.max(most, ++under);
          // Later ones are answered sooner.
          await sleep(40 - (item % 20));
          under--;
          return [item, -item - 1];
        },
      }),
      { store },
    );
    handle.on("note", (note) => notes.push(note));
    const summary = await handle.summary();
    assert.deepEqual([summary.state, summary.written, summary.added], ["succeeded", 600, 300]);
    assert.deepEqual(
      target.effects,
      upTo(300).flatMap((item) => [item, -item - 1]),
    );
    assert.equal(most, 32);
    assert.match(notes.join("\n"), /waits about \d+ ms an item.*32 items.*concurrency/);
    assert.doesNotMatch(notes.join("\n"), /callable/);
  });

  it("is called again for an item that failed in passing, and for no other", async () => {
    const target = new MemoryTarget();
    const calls = new Map<number, number>();
    const summary = await run(
      defineJob<number, number>({
        name: "again",
        source: Object.assign(new NumberSource(100, 50), { sample: async () => [] }),
        sink: target,
        shards: 2,
        transform: async (item) => {
          const call = (calls.get(item) ?? 0) + 1;
          calls.set(item, call);
          await sleep(1);
          if (item % 25 === 3 && call < 3) throw new TransientError("api", "503");
          if (item % 25 === 4 && call < 2) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
          return item;
        },
      }),
      { store },
    ).summary();
    assert.deepEqual([summary.state, summary.written], ["succeeded", 100]);
    assert.equal(summary.note, undefined, "trouble that has passed is no longer told");
    for (const [item, count] of calls) {
      assert.equal(count, item % 25 === 3 ? 3 : item % 25 === 4 ? 2 : 1, `item ${item}`);
    }
  });

  it("that goes on failing fails the run with its reason, and what was committed is counted", async () => {
    const target = new MemoryTarget();
    const summary = await run(
      defineJob<number, number>({
        name: "down",
        source: Object.assign(new NumberSource(100, 10), { sample: async () => [] }),
        sink: target,
        shards: 1,
        patience: 300,
        transform: async (item) => {
          if (item === 57) throw new TransientError("api", "the service is down");
          return item;
        },
      }),
      { store },
    ).summary();
    assert.deepEqual([summary.state, summary.note], ["failed", "the service is down"]);
    assert.equal(summary.written, target.effects.length);
    assert.ok(!target.effects.includes(57));
  });

  it("gets small chunks while it takes long", async () => {
    const sizes: number[] = [];
    class PacedSource extends NumberSource {
      override async *read(shard: Shard, cursor: Cursor | null, pace: ChunkSize, signal: AbortSignal) {
        const { from, to } = shard.data as { from: number; to: number };
        for (let at = (cursor as number | null) ?? from; at < to; ) {
          this.chunkItems = Math.min(pace.items, to - at);
          const part = { ...shard, data: { from, to: at + this.chunkItems } };
          for await (const chunk of super.read(part, at, pace, signal)) {
            sizes.push(chunk.items);
            at += chunk.items;
            yield chunk;
          }
        }
      }
    }
    const source = new PacedSource(400);
    const step = async (item: number) => {
      await sleep(60);
      return item;
    };
    const sink = new MemoryTarget();
    await run(defineJob({ name: "small", source, sink, shards: 1, commitTime: 40, transform: step }), {
      store,
    }).summary();
    assert.equal(Math.max(...sizes), 32);
    const cheap = new PacedSource(5_000);
    sizes.length = 0;
    await run(
      defineJob({
        name: "large",
        source: cheap,
        sink: new MemoryTarget(),
        shards: 1,
        transform: (n: number) => n,
      }),
      { store },
    ).summary();
    assert.ok(Math.max(...sizes) > 500, sizes.join());
  });

  it("gives no item for what is nothing, alone or beside others", async () => {
    const target = new MemoryTarget();
    const step = (item: number) => [item, null, undefined].slice(item % 2) as number[];
    const job = defineJob({ name: "nothing", source: new NumberSource(10), transform: step, sink: target });
    const summary = await run(job, { store }).summary();
    assert.deepEqual([summary.written, summary.skipped], [5, 5]);
    assert.deepEqual(sorted(target.effects), [0, 2, 4, 6, 8]);
  });

  it("is refused as a generator, and so is a number that is none", () => {
    const job = { name: "none", source: new NumberSource(1), sink: new MemoryTarget() };
    const step = function* (item: number) {
      yield item;
    };
    assert.throws(() => defineJob({ ...job, transform: step as unknown as (item: number) => number }), {
      code: "job.transform",
    });
    for (const [option, code] of [
      ["memory", "argument.size"],
      ["bandwidth", "argument.size"],
      ["commitTime", "argument.duration"],
      ["patience", "argument.duration"],
    ]) {
      for (const value of [Number.NaN, -1, "a lot"]) {
        assert.throws(() => defineJob({ ...job, [option as string]: value }), { code }, `${option} ${value}`);
      }
    }
    for (const option of ["memory", "commitTime", "patience"])
      assert.throws(() => defineJob({ ...job, [option]: 0 }), { code: "job.option" });
    assert.throws(() => defineJob({ ...job, chunkSize: { min: Number.NaN } }), { code: "argument.size" });
    for (const shards of [0, 1.5]) assert.throws(() => defineJob({ ...job, shards }), { code: "job.shards" });
    defineJob({ ...job, memory: "512MB", chunkSize: { max: "1MB" }, commitTime: "1s", patience: "5m" });
    assert.throws(() => defineJob({ ...job, key: "" }), { code: "job.key" });
  });

  it("begins nothing for a sink that promises nothing that is known", async () => {
    for (const odd of [
      { guarantee: "maybe" },
      { guarantee: undefined },
      { ordering: { kind: "constructor" } },
    ]) {
      const target = new MemoryTarget();
      const open = target.open.bind(target);
      target.open = async (context) => Object.assign(await open(context), odd);
      const job = defineJob({ name: "odd", source: new NumberSource(10), sink: target });
      await assert.rejects(async () => await run(job, { store }).summary(), { code: "job.sink" });
      assert.equal(target.effects.length, 0);
    }
  });

  it("is refused with a number of calls that cannot be", () => {
    const options = { name: "none", source: new NumberSource(1), sink: new MemoryTarget(), concurrency: 0 };
    assert.throws(
      () => defineJob(options),
      (error) => error instanceof PawlError && error.code === "job.concurrency",
    );
  });
});
