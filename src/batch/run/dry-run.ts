import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../private-folder.ts";
import type { QuarantinedItem } from "../../store/contract.ts";
import type { Chunk, Ordering, Shard, WriteOutcome } from "../contract.ts";
import { memoryOf, shardsOf } from "../job/memory.ts";
import { untransformed } from "../transform/prepared-chunk.ts";
import { Transform } from "../transform/transform.ts";
import type { PreparedRun } from "./prepare.ts";

/** What a run would do, as far as a plan and one chunk that was written and taken back tell. */
export interface DryRun {
  readonly shards: number;
  /** Items in all, or about as many; null when only reading to the end will tell. */
  readonly items: number | null;
  /** Sentences that planning, and reading all that the source gives, brought up. */
  readonly notes: readonly string[];
  /** The first chunk; null where there is none. */
  readonly chunk: DryRunChunk | null;
}

export interface DryRunChunk {
  readonly items: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
  /** Items that failed. */
  readonly failures: readonly Pick<QuarantinedItem, "reason" | "code">[];
  readonly ms: number;
}

/** Small enough to be taken back in a moment, on a table in use too. */
const small = { items: 1000, bytes: 64 * 1024 };
const large = { items: 20_000, bytes: 1024 * 1024 };

/** Plans a prepared dry run, and writes one chunk and takes it back; null where the sink cannot do that. */
export async function dryRun(prepared: PreparedRun, scratch: string): Promise<DryRun | null> {
  const { job, sink } = prepared;
  if (sink.dryRun === undefined) return null;
  const { signal } = new AbortController();
  const ordering: Ordering =
    job.transform && sink.ordering.kind === "byKey" ? { kind: "total" } : sink.ordering;
  const folder = join(scratch, prepared.run.id, "plan");
  makeFolder(folder);
  try {
    const memory = Math.floor(memoryOf(job).inFlight / 4);
    const plan = await job.source.shards(shardsOf(job) * 4, ordering, {
      signal,
      scratch: folder,
      folder,
      memory,
      ...(sink.kinds ? { kinds: sink.kinds } : {}),
    });
    const sizes = plan.shards.map(({ items, estimate }) => items ?? estimate ?? null);
    const { first, notes } = await dryRunChunk(prepared, plan.shards, signal);
    return {
      shards: plan.shards.length,
      items: sizes.reduce((sum, size) => (sum === null || size === null ? null : sum + size), 0),
      notes: [...plan.notes, ...notes],
      chunk: first,
    };
  } finally {
    await rm(join(scratch, prepared.run.id), { recursive: true, force: true });
  }
}

/** Writes the first chunk and takes it back; where the sink surveys the source, reads all the others too. */
async function dryRunChunk(
  { job, sink }: PreparedRun,
  shards: readonly Shard[],
  signal: AbortSignal,
): Promise<{ first: DryRunChunk | null; notes: readonly string[] }> {
  const transform =
    job.transform && new Transform({ transform: job.transform.bind(job), concurrency: job.concurrency });
  const write = sink.dryRun?.bind(sink) as (chunk: Chunk<unknown>) => Promise<WriteOutcome>;
  const size = { ...small };
  let first: DryRunChunk | null = null;
  const survey = (await sink.survey?.()) ?? null;
  try {
    for (const shard of shards) {
      for await (const chunk of job.source.read(shard, null, size, signal)) {
        if (chunk.items === 0) continue;
        const began = performance.now();
        const ends = { stop: signal, end: signal };
        const prepared = transform
          ? await transform.chunk(chunk, chunk.bytes, ends, sink.pack?.bind(sink))
          : untransformed(chunk, chunk.bytes, sink);
        if (first === null) {
          const outcome = await write(prepared.output);
          const failures = [...prepared.failures, ...outcome.failures].map(({ reason, code }) => ({
            reason,
            code: code ?? null,
          }));
          const { written, unchanged } = outcome;
          const skipped = prepared.skipped + outcome.skipped;
          const ms = performance.now() - began;
          first = { items: chunk.items, written, unchanged, skipped, failures, ms };
          // Nothing more is written, so that a chunk need not be short.
          Object.assign(size, large);
          if (survey === null) return { first, notes: [] };
        }
        await survey?.take(prepared.output);
        survey?.skip(prepared.failures.length, prepared.skipped);
      }
    }
    return { first, notes: (await survey?.finalize()) ?? [] };
  } finally {
    await survey?.close();
  }
}
