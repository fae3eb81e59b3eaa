import type { Cursor, Description, Origin, Pace, Shard, ShardPlan } from "../../batch/contract.ts";
import { ItemError, PawlError } from "../../errors.ts";
import type { QuarantineRecord } from "../../store/contract.ts";
import { HeldBody } from "./body.ts";
import type { CsvChunk, CsvRow, CsvSource } from "./chunk.ts";
import { type Layout, rulesOf } from "./layout.ts";
import { RecordChunk } from "./record-chunk.ts";
import { RecordScanner } from "./record-scanner.ts";

const LINE_FEED = Buffer.from("\n");

/** Quarantined records of a CSV as a source: one shard, in the order given; the cursor is the last record's number. */
export class ReplaySource implements CsvSource {
  readonly #items: () => AsyncIterable<QuarantineRecord>;
  readonly #source: () => Promise<Layout>;

  constructor(items: () => AsyncIterable<QuarantineRecord>, layout: () => Promise<Layout>) {
    this.#items = items;
    this.#source = layout;
  }

  async describe(): Promise<Description> {
    const { columns, dialect } = await this.#layout();
    return {
      name: "quarantined rows",
      unit: "rows",
      columns,
      identity: null,
      bytes: null,
      notes: [],
      dialect: { ...dialect, columns },
    };
  }

  async shards(): Promise<ShardPlan> {
    return { shards: [{ data: null, items: null, bytes: null }], duplicates: null, notes: [] };
  }

  async sample(n: number): Promise<readonly CsvRow[]> {
    const rows: CsvRow[] = [];
    const pace = { items: n, bytes: 1024 * 1024 };
    const { signal } = new AbortController();
    for await (const chunk of this.read({ data: null, items: null, bytes: null }, null, pace, signal)) {
      for await (const slice of chunk.slices())
        for (const row of slice) if (!(row instanceof ItemError) && rows.length < n) rows.push(row);
      if (rows.length >= n) break;
    }
    return rows;
  }

  async *read(
    _shard: Shard,
    cursor: Cursor | null,
    pace: Pace,
    signal: AbortSignal,
  ): AsyncGenerator<CsvChunk> {
    const layout = await this.#layout();
    const after = typeof cursor === "number" ? cursor : Number.NEGATIVE_INFINITY;
    let held: QuarantineRecord[] = [];
    let bytes = 0;
    for await (const record of this.#items()) {
      signal.throwIfAborted();
      if (record.number <= after) continue;
      held.push(record);
      bytes += record.raw.length + 1;
      if (held.length < pace.items && bytes < pace.bytes) continue;
      yield new ReplayChunk(held, layout);
      held = [];
      bytes = 0;
    }
    if (held.length > 0) yield new ReplayChunk(held, layout);
  }

  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource {
    return new ReplaySource(items, this.#source);
  }

  /** Quarantined records were put away without the fields that the source leaves out. */
  async #layout(): Promise<Layout> {
    const layout = await this.#source();
    return { ...layout, fields: layout.columns, dropped: [] };
  }
}

class ReplayChunk extends RecordChunk {
  readonly #records: readonly QuarantineRecord[];

  constructor(records: readonly QuarantineRecord[], layout: Layout) {
    const text = Buffer.concat(records.flatMap(({ raw }) => [raw, LINE_FEED]));
    const scanner = new RecordScanner(
      rulesOf({ ...layout, maxRecordBytes: text.length }, 10, "quarantined rows"),
    );
    scanner.scan(text, 0, text.length, 0);
    scanner.finish(text.length);
    if (scanner.records !== records.length) refuse(records);
    super({
      body: new HeldBody([text]),
      layout,
      newline: 10,
      features: scanner.features,
      items: records.length,
      bytes: text.length,
      end: (records.at(-1) as QuarantineRecord).number,
      name: "quarantined rows",
      line: 1,
    });
    this.#records = records;
  }

  override async origin(index: number): Promise<Origin> {
    const record = this.#records[index];
    if (!record) throw new RangeError(`The chunk has ${this.items} items: there is no ${index}.`);
    return { raw: record.raw, at: record.at };
  }
}

function refuse(records: readonly QuarantineRecord[]): never {
  throw new PawlError(
    "csv.replay",
    `The quarantined rows from ${records[0]?.at} to ${records.at(-1)?.at} are not one record each in this dialect: give the --delimiter and --quote they were read with.`,
  );
}
