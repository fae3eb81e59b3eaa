import { ItemError } from "../../errors.ts";
import type { Json, QuarantineRecord, RunRecord, Store } from "../../store/contract.ts";
import type { Chunk, Source } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";

const PAGE = 1000;

/** The quarantined items of a run that no replay has corrected, in order. */
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

/** Corrected items in the place of those a run quarantined. */
export interface CorrectedItems {
  readonly source: Source<unknown>;
  /** The quarantine number that each item stands for, in order; NaN where it has none. */
  numbers(): AsyncIterable<number>;
}

/**
 * The job that runs a run's open quarantined items again, or corrected ones in their place. Its run marks what it did
 * not quarantine again as corrected, in the step that ends it.
 */
export function replayJob(store: Store, run: RunRecord, job: AnyJob, corrected?: CorrectedItems): AnyJob {
  const items = () => openItems(store, run.id);
  const changed: Partial<AnyJob> = {
    source: corrected?.source ?? job.source.replay?.(items) ?? jsonItems(items),
    key: `replay of ${run.id}`,
    partial: true,
    corrected: (replay) => correctedBy(store, replay, corrected?.numbers() ?? numbersOf(items())),
  };
  // With all that its own methods may ask of it.
  return Object.assign(Object.create(Object.getPrototypeOf(job)), job, changed);
}

async function* numbersOf(items: AsyncIterable<QuarantineRecord>): AsyncGenerator<number> {
  for await (const item of items) yield item.number;
}

/** `numbers` are those of the items replayed, in the order in which the replay read them from its one shard. */
async function correctedBy(store: Store, replay: string, numbers: AsyncIterable<number>): Promise<number[]> {
  const again = new Set<number>();
  let after: { shard: number; ordinal: number } | undefined;
  for (;;) {
    const page = await store.quarantined(replay, { limit: PAGE, ...(after ? { after } : {}) });
    for (const item of page) again.add(item.ordinal);
    after = page.at(-1);
    if (page.length < PAGE) break;
  }
  const corrected: number[] = [];
  let ordinal = 0;
  for await (const number of numbers) {
    if (!again.has(ordinal++) && !Number.isNaN(number)) corrected.push(number);
  }
  return corrected;
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
