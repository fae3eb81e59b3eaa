import { ItemError } from "../errors.ts";
import type { Json, QuarantineRecord, RunRecord, Store } from "../store/contract.ts";
import type { Chunk, Source } from "./contract.ts";
import type { AnyJob } from "./job.ts";

const PAGE = 1000;

/** The quarantined items of a run that no replay has mended, in order. */
export async function* openItems(
  store: Store,
  run: string,
): AsyncGenerator<QuarantineRecord, void, undefined> {
  let after: { shard: number; ordinal: number } | undefined;
  for (;;) {
    const page = await store.quarantined(run, { limit: PAGE, openOnly: true, ...(after ? { after } : {}) });
    yield* page;
    after = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/** The job that runs a run's open quarantined items again, or the mended ones that `source` holds. */
export function replayJob(store: Store, run: RunRecord, job: AnyJob, source?: Source<unknown>): AnyJob {
  const items = () => openItems(store, run.id);
  return {
    ...job,
    ...(job.step ? { step: job.step.bind(job) } : {}),
    source: source ?? job.source.replay?.(items) ?? jsonItems(items),
    key: `replay of ${run.id}`,
  };
}

/**
 * After a replay succeeded: marks as mended what it did not quarantine again. `numbers` are the quarantine numbers
 * of the items replayed, in the order in which the replay read them from its one shard.
 */
export async function markMended(store: Store, replay: string, numbers: readonly number[]): Promise<number> {
  const again = new Set<number>();
  let after: { shard: number; ordinal: number } | undefined;
  for (;;) {
    const page = await store.quarantined(replay, { limit: PAGE, ...(after ? { after } : {}) });
    for (const item of page) again.add(item.ordinal);
    after = page.at(-1);
    if (page.length < PAGE) break;
  }
  const mended = numbers.filter((_, ordinal) => !again.has(ordinal));
  for (let at = 0; at < mended.length; at += PAGE)
    await store.markReplayed(mended.slice(at, at + PAGE), replay);
  return mended.length;
}

/** Quarantined items of a source that keeps them as JSON. */
function jsonItems(items: () => AsyncIterable<QuarantineRecord>): Source<unknown> {
  const decode = (record: QuarantineRecord): unknown => {
    try {
      return JSON.parse(Buffer.from(record.raw).toString("utf8"));
    } catch {
      return new ItemError("what was quarantined is not JSON, and the source cannot read it back");
    }
  };
  return {
    describe: async () => ({
      name: "the quarantine",
      unit: "items",
      columns: null,
      identity: null,
      bytes: null,
      notes: [],
    }),
    shards: async () => ({ shards: [{ data: null, items: null, bytes: null }], duplicates: null, notes: [] }),
    sample: async (n) => {
      const first: unknown[] = [];
      for await (const record of items()) {
        if (first.length === n) break;
        const item = decode(record);
        if (!(item instanceof ItemError)) first.push(item);
      }
      return first;
    },
    read: async function* (_shard, cursor) {
      const done = (cursor as { items: number } | null)?.items ?? 0;
      let seen = 0;
      let page: QuarantineRecord[] = [];
      for await (const record of items()) {
        if (seen++ < done) continue;
        page.push(record);
        if (page.length === PAGE) {
          yield pageChunk(page, { items: seen }, decode);
          page = [];
        }
      }
      if (page.length > 0) yield pageChunk(page, { items: seen }, decode);
    },
  };
}

function pageChunk(
  records: readonly QuarantineRecord[],
  end: Json,
  decode: (record: QuarantineRecord) => unknown,
): Chunk<unknown> {
  return {
    items: records.length,
    bytes: records.reduce((sum, record) => sum + record.raw.byteLength, 0),
    end,
    slices: async function* () {
      yield records.map(decode);
    },
    origin: async (index) => {
      const record = records[index];
      return { raw: record?.raw ?? new Uint8Array(), at: record?.at ?? "the quarantine" };
    },
  };
}
