import type { Cursor, Source } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { QuarantineRecord } from "../../../store/contract.ts";
import type { TableRow } from "../options.ts";
import { toText } from "../values.ts";
import { KeyRangeChunk } from "./key-range.ts";
import { equal, type KeyTexts } from "./keyset.ts";
import type { TableReader } from "./table-reader.ts";

interface Rereadable extends Source<TableRow> {
  reader(): Promise<TableReader>;
}

/**
 * The rows that were quarantined, as they are in the table now: what was wrong with them has been corrected there, or in
 * the transform. Each is a chunk of its own, which a row that is gone leaves empty.
 */
export function replaySource(
  source: Rereadable,
  items: () => AsyncIterable<QuarantineRecord>,
): Source<TableRow> {
  return {
    describe: async () => ({ ...(await source.describe()), identity: null, notes: [] }),
    shards: async () => ({ shards: [{ data: null, items: null, bytes: null }], duplicates: null, notes: [] }),
    sample: (n) => source.sample(n),
    read: async function* (_shard, cursor, _pace, signal) {
      const reader = await source.reader();
      try {
        const done = (cursor as { items: number } | null)?.items ?? 0;
        let seen = 0;
        for await (const record of items()) {
          signal.throwIfAborted();
          if (seen++ < done) continue;
          yield new OneRow(reader, keyOf(reader, record), { items: seen });
        }
      } finally {
        await reader.close();
      }
    },
  };
}

/** One row by its key, whether or not it meets the condition still. It counts as one item whatever became of it. */
class OneRow extends KeyRangeChunk {
  readonly #key: KeyTexts;

  constructor(reader: TableReader, key: KeyTexts, end: Cursor) {
    super(reader, null, { end, items: 1 }, 0);
    this.#key = key;
    this.holds(0, [{ key, xmin: "0" }]);
  }

  override condition(values: unknown[]): string {
    return equal(this.view.table, this.view.keyset, this.#key, values);
  }

  override get range(): null {
    return null;
  }

  override async keys(): Promise<KeyTexts[]> {
    return [this.#key];
  }

  override async *slices(): AsyncGenerator<readonly (TableRow | ItemError)[], void, undefined> {
    const found = await this.reader.row(this.#key);
    if (found !== null) {
      this.holds(0, [{ key: found.key, xmin: found.xmin }]);
    }
    yield [found?.row ?? new ItemError("the row is no longer in the table", { code: "gone" })];
  }

  override recordRefused(): number {
    return 1;
  }
}

function keyOf({ view }: TableReader, record: QuarantineRecord): KeyTexts {
  const row = JSON.parse(Buffer.from(record.raw).toString("utf8")) as TableRow;
  return view.keyset.columns.map((column) => toText(own(row, column.name), column) ?? "");
}
