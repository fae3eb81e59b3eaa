import type { CorrectedItems } from "../../batch/internal.ts";
import { openItems } from "../../batch/internal.ts";
import { clipped } from "../../clip.ts";
import { type CsvOptions, csv } from "../../connect/csv/index.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import type { StoredLoad } from "../load/job.ts";

/** Which quarantined item a row is, and why it was refused: the columns that `pawl quarantine export` adds to a CSV. */
export const NUMBER_COLUMN = "pawl_row";
export const REASON_COLUMN = "pawl_reason";

/** The rows of a fixed file as the load they come from would have read them. */
export function fixedItems(from: string, load: StoredLoad): CorrectedItems {
  return {
    source: csv(from, { ...dialectOf(load), ignoreColumns: [NUMBER_COLUMN, REASON_COLUMN] }),
    numbers: () => numbersOf(from, load),
  };
}

/** The file has the header of the export, whatever the original had, and is UTF-8; its rows hold the two columns more. */
function dialectOf(load: StoredLoad): CsvOptions {
  const { delimiter, quote, escape: escaping, nullValues, nullValuesFor, ...rest } = load.csv;
  const { looseQuotes, trim, dateOrder, decimal, thousands, fillMissing, ignoreExtra } = rest;
  const { maxRecordBytes: maxRecordSize } = load.tuning;
  const kept = {
    delimiter,
    quote,
    escape: escaping,
    nullValues,
    nullValuesFor,
    maxRecordSize,
    looseQuotes,
    trim,
  };
  const all = { ...kept, dateOrder, decimal, thousands, fillMissing, ignoreExtra };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The number of the quarantined item that each row of a fixed file stands for, in order; NaN where the row cannot be read. */
async function* numbersOf(from: string, load: StoredLoad): AsyncGenerator<number, void, undefined> {
  for await (const text of numberTexts(from, load)) yield text === null ? Number.NaN : numberOf(text);
}

/** What each row of a fixed file has in the column of the number, in order; null for a row that cannot be read. */
async function* numberTexts(from: string, load: StoredLoad): AsyncGenerator<string | null, void, undefined> {
  const source = csv(from, dialectOf(load));
  const { columns, name } = await source.describe();
  if (!columns?.includes(NUMBER_COLUMN)) {
    throw new PawlError(
      "replay.from",
      `${name} has no column ${NUMBER_COLUMN}: --from takes a file that pawl quarantine export wrote as CSV.`,
    );
  }
  const options = { signal: new AbortController().signal, scratch: "", folder: "", memory: 0 };
  const { shards } = await source.shards(1, { kind: "total" }, options);
  for (const shard of shards) {
    for await (const chunk of source.read(shard, null, { items: 10_000, bytes: 1 << 20 }, options.signal)) {
      for await (const slice of chunk.slices()) {
        for (const row of slice) yield row instanceof Error ? null : String(row[NUMBER_COLUMN] ?? "");
      }
    }
  }
}

function numberOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/**
 * Refuses a file whose rows are not of this run, before any of it is written: a row without its number would be written, and stay in
 * the quarantine to be written once more. Rows that were replayed before may come again, except where the load appends: there they
 * would be written twice.
 */
export async function checkFixedFile(run: RunRecord, from: string, store: Store): Promise<void> {
  const load = run.job.params as unknown as StoredLoad;
  const open = new Set<number>();
  for await (const item of openItems(store, run.id)) open.add(item.number);
  const appends =
    load.append === true || load.onConflict === "fail" || (load.create && load.onConflict === null);
  const all = appends ? open : await allNumbers(run, store);
  const rows = new Map<number, number>();
  let row = 0;
  for await (const text of numberTexts(from, load)) {
    row++;
    // A row that cannot be read is quarantined again by the replay, with the reason.
    if (text === null) continue;
    const number = numberOf(text);
    if (Number.isNaN(number))
      throw new PawlError(
        "replay.from",
        `Row ${row} of ${from} has ${text === "" ? `no ${NUMBER_COLUMN}` : `the ${NUMBER_COLUMN} "${clipped(text, 40)}", which is not a whole number`}: give it the one that pawl quarantine export ${run.id} wrote for it.`,
      );
    const before = rows.get(number);
    if (before !== undefined)
      throw new PawlError(
        "replay.from",
        `Row ${row} of ${from} has the ${NUMBER_COLUMN} ${number} of row ${before}, and would be written a second time: leave one of them out.`,
      );
    rows.set(number, row);
    if (open.has(number) || all.has(number)) continue;
    throw new PawlError(
      "replay.from",
      `Row ${row} of ${from} (${NUMBER_COLUMN} ${number}) is not in the quarantine of run ${run.id}: start from the file that pawl quarantine export ${run.id} gives now.`,
    );
  }
}

const PAGE = 1000;

async function allNumbers(run: RunRecord, store: Store): Promise<Set<number>> {
  const numbers = new Set<number>();
  let after: { shard: number; ordinal: number } | undefined;
  for (;;) {
    const page = await store.quarantined(run.id, { limit: PAGE, ...(after ? { after } : {}) });
    for (const item of page) numbers.add(item.number);
    after = page.at(-1);
    if (page.length < PAGE) return numbers;
  }
}
