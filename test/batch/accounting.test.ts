import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type CheckpointBuilder,
  type Chunk,
  defineJob,
  ItemError,
  type Job,
  type OpenSink,
  PawlError,
  run,
  type Sink,
  type Source,
  type WriteOutcome,
  type Writer,
} from "../../src/batch/index.ts";
import { openItems } from "../../src/batch/internal.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { MemoryTarget, NumberSource } from "./memory-ends.ts";

let folder: string;
let store: Store;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-account-"));
  store = await openStore(join(folder, "store.db"));
});
after(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const job = (more: Partial<Job<number, number>>) =>
  defineJob<number, number>({
    name: crypto.randomUUID(),
    source: new NumberSource(50),
    sink: new MemoryTarget(),
    shards: 1,
    ...more,
  });

/** A sink whose writers are changed on the way out. */
function changed(
  target: MemoryTarget,
  change: (writer: Writer<number>) => Partial<Writer<number>>,
): Sink<number> {
  return {
    open: async (context) => {
      const sink = await target.open(context);
      return {
        ...sink,
        writer: async (shard, fence) => {
          const writer = await sink.writer(shard, fence);
          return { ...writer, ...change(writer) };
        },
      };
    },
  };
}

/** A sink that says of each chunk something else than is true. */
function lying(
  target: MemoryTarget,
  lie: (outcome: WriteOutcome, chunk: number) => WriteOutcome,
): Sink<number> {
  let chunks = 0;
  return changed(target, (writer) => ({
    write: (chunk: Chunk<number>, seal: CheckpointBuilder) =>
      writer.write(chunk, (outcome) => seal(lie(outcome, chunks++))),
  }));
}

describe("a run succeeds only with proof", { timeout: 60_000 }, () => {
  const lies: Readonly<Record<string, (outcome: WriteOutcome, chunk: number) => WriteOutcome>> = {
    "fewer than it was given": (outcome) => ({ ...outcome, written: outcome.written - 1 }),
    "more than it was given": (outcome) => ({ ...outcome, written: outcome.written + 1 }),
    "less than nothing": (outcome) => ({ ...outcome, written: outcome.written + 4, skipped: -4 }),
    "what evens out over two chunks": (outcome, chunk) => ({
      ...outcome,
      written: outcome.written + (chunk % 2 === 0 ? 2 : -2),
    }),
    "half an item": (outcome) => ({ ...outcome, written: outcome.written - 0.5, skipped: 0.5 }),
    "no number": (outcome) => ({ ...outcome, unchanged: Number.NaN }),
    "a negative count of duplicates": (outcome) => ({ ...outcome, duplicates: -1 }),
    "an item that failed twice": (outcome) => ({
      ...outcome,
      written: outcome.written - 2,
      failures: [
        { index: 1, reason: "bad" },
        { index: 1, reason: "bad" },
      ],
    }),
    "a failed item that it was never given": (outcome) => ({
      ...outcome,
      written: outcome.written - 1,
      failures: [{ index: 10, reason: "bad" }],
    }),
  };
  for (const [what, lie] of Object.entries(lies)) {
    it(`not where a sink says that it wrote ${what}`, async () => {
      const target = new MemoryTarget();
      const { state, note, read, written } = await run(job({ sink: lying(target, lie) }), {
        store,
      }).summary();
      assert.equal(state, "failed");
      assert.match(note ?? "", /nothing of the chunk was committed; this is a defect of Pawl or of a sink/);
      assert.deepEqual([read, written, target.effects.length], [0, 0, 0]);
    });
  }

  it("not where a sink writes without building a checkpoint, or keeps a checkpoint that no counting gives", async () => {
    const unsealed = changed(new MemoryTarget(), () => ({ write: async () => {} }));
    assert.match(
      (await run(job({ sink: unsealed }), { store }).summary()).note ?? "",
      /without building its checkpoint/,
    );
    const counts = { read: 0, added: 0, written: 4, unchanged: 0, skipped: -4 };
    const rest = { quarantined: 0, duplicates: 0, bytes: 0 };
    const kept = { cursor: null, counts: { ...counts, ...rest }, done: true };
    const odd = changed(new MemoryTarget(), () => ({ checkpoint: kept }));
    const { state, note } = await run(job({ sink: odd }), { store }).summary();
    assert.equal(state, "failed");
    assert.match(note ?? "", /does not add up.*skipped cannot be -4/);
  });

  /** A source whose chunks are changed on the way out. */
  const source = (change: (chunk: Chunk<number>, at: number) => Partial<Chunk<number>>): Source<number> => {
    const honest = new NumberSource(50);
    return Object.assign(Object.create(honest), {
      read: async function* (...args: Parameters<NumberSource["read"]>) {
        let at = 0;
        for await (const chunk of honest.read(...args)) yield { ...chunk, ...change(chunk, at++) };
      },
    });
  };
  const oddSources: Readonly<Record<string, Source<number>>> = {
    "announces more than it gives": source((chunk) => ({ items: chunk.items + 1 })),
    "announces less than it gives": source((chunk) => ({ items: chunk.items - 1 })),
    "leaves its cursor where it was": source((_, at) => (at === 0 ? {} : { end: 10 })),
    "ends before the plan does": Object.assign(new NumberSource(50), {
      read: async function* (...[shard, ...rest]: Parameters<NumberSource["read"]>) {
        const { from, to } = shard.data as { from: number; to: number };
        yield* new NumberSource(50).read({ ...shard, data: { from, to: to - 1 } }, ...rest);
      },
    }),
  };
  for (const [what, odd] of Object.entries(oddSources)) {
    for (const step of [undefined, (item: number) => item]) {
      it(`not of a source that ${what}, ${step ? "with" : "without"} a step`, async () => {
        const target = new MemoryTarget();
        const { state, written, note } = await run(
          job({ source: odd, sink: target, ...(step ? { transform: step } : {}) }),
          {
            store,
          },
        ).summary();
        assert.equal(state, "failed");
        assert.match(note ?? "", /announced|cursor|where the plan counted/);
        assert.equal(written, target.effects.length, "what was committed is what is counted");
      });
    }
  }

  it("and counts what was committed where a shard fails between two reports", async () => {
    for (const guarantee of ["transactional", "idempotent"] as const) {
      const target = Object.assign(new MemoryTarget(), { guarantee });
      let writes = 0;
      target.fault = (moment) => {
        if (moment === "before" && ++writes === 4) throw new PawlError("test", "the archive is cut off");
      };
      const cut = Object.assign(new NumberSource(200), {
        shards: async () => ({
          shards: [{ data: { from: 0, to: 200 }, items: 200, bytes: 200 }],
          duplicates: null,
          notes: [],
        }),
      });
      const summary = await run(job({ source: cut, sink: target }), { store }).summary();
      assert.equal(summary.state, "failed");
      assert.deepEqual([summary.read, summary.written, target.effects.length], [30, 30, 30]);
    }
  });
});

describe("an item that could not be decoded", { timeout: 60_000 }, () => {
  const broken = (): Source<number> =>
    Object.assign(new NumberSource(100), {
      read: async function* (...args: Parameters<NumberSource["read"]>) {
        for await (const chunk of new NumberSource(100).read(...args)) {
          yield {
            ...chunk,
            slices: async function* () {
              for await (const slice of chunk.slices()) {
                yield slice.map((item) =>
                  (item as number) % 9 === 4 ? new ItemError(`${item} is broken`) : item,
                );
              }
            },
          };
        }
      },
    });
  const packing = (target: MemoryTarget): Sink<number> => ({
    open: async (context) => {
      const sink: OpenSink<number> = await target.open(context);
      return { ...sink, pack: async () => assert.fail("There is no step whose results it could pack.") };
    },
  });

  for (const [what, sink] of [
    ["transactional", new MemoryTarget()],
    ["idempotent", Object.assign(new MemoryTarget(), { guarantee: "idempotent" as const })],
    ["packing", new MemoryTarget()],
  ] as const) {
    it(`is quarantined as what it was, and a ${what} sink gets the others`, async () => {
      sink.refuse = (item) => (item % 10 === 7 ? `${item} is refused` : null);
      const end = what === "packing" ? packing(sink) : sink;
      const summary = await run(job({ source: broken(), sink: end }), { store }).summary();
      const items = Array.from({ length: 100 }, (_, at) => at);
      const isBroken = (item: number) => item % 9 === 4;
      const good = items.filter((item) => !isBroken(item) && item % 10 !== 7);
      assert.deepEqual([summary.state, summary.written], ["succeeded", good.length]);
      assert.deepEqual(
        [...sink.effects].sort((a, b) => a - b),
        good,
      );
      const kept: string[] = [];
      for await (const { raw, reason, shard, ordinal } of openItems(store, summary.run)) {
        const item = Number(Buffer.from(raw));
        assert.equal(item, shard * 25 + ordinal);
        kept.push(reason);
      }
      const bad = items.filter((item) => !good.includes(item));
      assert.deepEqual(
        kept.sort(),
        bad.map((item) => `${item} is ${isBroken(item) ? "broken" : "refused"}`).sort(),
      );
    });
  }
});
