import type {
  Chunk,
  ChunkSize,
  Cursor,
  Description,
  Ordering,
  PlanOptions,
  Shard,
  ShardPlan,
} from "../../batch/contract.ts";
import { ItemError, PawlError } from "../../errors.ts";
import type { QuarantineRecord } from "../../store/contract.ts";
import type { CsvRow, CsvSource } from "./contract.ts";
import { describedDialect, quarantinedLayout, type RecordLayout, withKinds } from "./record-layout.ts";
import { ChunkSource, chunkOf } from "./rows/chunk.ts";
import { HeldBytes } from "./rows/chunk-bytes.ts";
import { RecordScanner } from "./scan/record-scanner.ts";

const LINE_FEED = Buffer.from("\n");

/** Quarantined records of a CSV as a source: one shard, in the order given; the cursor is the last record's number. */
export class ReplaySource implements CsvSource {
  readonly #items: () => AsyncIterable<QuarantineRecord>;
  readonly #source: () => Promise<RecordLayout>;

  constructor(items: () => AsyncIterable<QuarantineRecord>, layout: () => Promise<RecordLayout>) {
    this.#items = items;
    this.#source = layout;
  }

  async describe(): Promise<Description> {
    const layout = await this.#layout();
    const { columns } = layout;
    return {
      name: "quarantined rows",
      unit: "rows",
      columns,
      identity: null,
      bytes: null,
      notes: [],
      dialect: describedDialect(layout),
    };
  }

  async shards(_n: number, _ordering: Ordering, { kinds = [] }: PlanOptions): Promise<ShardPlan> {
    return { shards: [{ data: { kinds }, items: null, bytes: null }], duplicates: null, notes: [] };
  }

  async sample(n: number): Promise<readonly CsvRow[]> {
    const rows: CsvRow[] = [];
    const size = { items: n, bytes: 1024 * 1024 };
    const { signal } = new AbortController();
    for await (const chunk of this.read({ data: null, items: null, bytes: null }, null, size, signal)) {
      for await (const slice of chunk.slices())
        for (const row of slice) if (!(row instanceof ItemError) && rows.length < n) rows.push(row);
      if (rows.length >= n) break;
    }
    return rows;
  }

  async *read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<CsvRow>> {
    const { kinds = [] } = (shard.data ?? {}) as { kinds?: PlanOptions["kinds"] };
    const layout = withKinds(await this.#layout(), kinds);
    const after = typeof cursor === "number" ? cursor : Number.NEGATIVE_INFINITY;
    let held: QuarantineRecord[] = [];
    let bytes = 0;
    for await (const record of this.#items()) {
      signal.throwIfAborted();
      if (record.number <= after) continue;
      held.push(record);
      bytes += record.raw.length + 1;
      if (held.length < size.items && bytes < size.bytes) continue;
      yield replayChunk(held, layout);
      held = [];
      bytes = 0;
    }
    if (held.length > 0) yield replayChunk(held, layout);
  }

  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource {
    return new ReplaySource(items, this.#source);
  }

  /** The quarantine keeps records without the fields that the source leaves out. */
  async #layout(): Promise<RecordLayout> {
    return quarantinedLayout(await this.#source());
  }
}

function replayChunk(records: readonly QuarantineRecord[], layout: RecordLayout): Chunk<CsvRow> {
  const text = Buffer.concat(records.flatMap(({ raw }) => [raw, LINE_FEED]));
  const name = "quarantined rows";
  const source = new ChunkSource(
    { ...layout, maxRecordBytes: text.length },
    { newline: 10, name, order: null },
  );
  const scanner = new RecordScanner(source.rules);
  scanner.scan(text, 0, text.length, 0);
  scanner.finish(text.length);
  if (scanner.records !== records.length) refuse(records);
  return chunkOf(source, {
    content: new HeldBytes([text]),
    features: scanner.features,
    items: records.length,
    bytes: text.length,
    end: (records.at(-1) as QuarantineRecord).number,
    line: 1,
    origins: async (index) => {
      const { raw, at } = records[index] as QuarantineRecord;
      return { raw, at };
    },
  });
}

function refuse(records: readonly QuarantineRecord[]): never {
  throw new PawlError(
    "csv.replay",
    `The quarantined rows from ${records[0]?.at} to ${records.at(-1)?.at} are not one record each in this dialect: give the \`delimiter\` and \`quote\` they were read with.`,
  );
}
