import { assertMethods, assertObject, assertText } from "../../arguments.ts";
import type {
  Chunk,
  Cursor,
  Description,
  Ordering,
  Pace,
  PlanOptions,
  Shard,
  ShardPlan,
} from "../../batch/contract.ts";
import { ItemError, PawlError } from "../../errors.ts";
import type { Json, QuarantineRecord } from "../../store/contract.ts";
import type { CsvRow, CsvSource } from "./contract.ts";
import { describedDialect, isPlain, type Layout, layoutOf, withKinds } from "./layout.ts";
import { identityDifference, identityOf } from "./open/identity.ts";
import { type CsvOptions, type Settings, settle } from "./options.ts";
import { type Inspection, inspect } from "./plan/inspect.ts";
import { plan } from "./plan/plan.ts";
import { type Part, type Place, type StreamPart, unpackShard } from "./plan/shard-data.ts";
import { ReplaySource } from "./replay.ts";
import { storedBytes } from "./rows/chunk-bytes.ts";
import { readRange } from "./rows/read-range.ts";
import { readStream } from "./rows/read-stream.ts";
import type { DecodedRow } from "./rows/row-decoder.ts";
import { HOLDING } from "./values/converters.ts";
import { guessKinds } from "./values/guess-kinds.ts";

/** Bytes of text that a sample may look at in one step. */
const SAMPLE_BYTES = 256 * 1024;
/** So many rows are looked at before options are taken to be right. */
const SAMPLE_ROWS = 1000;

/**
 * Rows of one or several CSV files, of a glob, of `-` (standard input), of `s3://bucket/key` or `https://host/path`; `.gz` and `.zst` are unpacked. Plain
 * UTF-8 files are cut into shards at true record boundaries; anything that must be unpacked or decoded is read as a
 * stream. Several files are one source and must have the same header.
 *
 * Errors, each one sentence with file and line: `csv.option` at once; `csv.missing`, `csv.no-match`,
 * `csv.directory`, `csv.not-a-file`, `csv.permission`, `csv.empty`, `csv.binary`, `csv.encoding`, `csv.header`,
 * `csv.header-differs`, `csv.unclosed-quote`, `csv.record-too-large`, `csv.mixed-line-ends`,
 * `csv.corrupt-archive`, `csv.no-key-column`, `csv.changed`, `csv.scratch`, `csv.stdin-taken`, `csv.other-input`, `csv.holding`
 * when the source is used. A record that is no row (`csv.ragged`, `csv.bytes`) is an `ItemError` in its place.
 */
export function csv(paths: string | readonly string[], options: CsvOptions = {}): CsvSource {
  const all = typeof paths === "string" ? [paths] : paths;
  assertMethods(all, "map", "csv takes the path of a file, or a list of them");
  for (const path of all) assertText(path, "The path of a file");
  assertObject(options, "The options of csv");
  return new FileSource(all, settle(options));
}

class FileSource implements CsvSource {
  readonly #paths: readonly string[];
  readonly #settings: Settings;
  #inspection: Promise<Inspection> | null = null;
  /** What people call the files, by their paths. */
  readonly #names = new Map<string, string>();

  constructor(paths: readonly string[], settings: Settings) {
    this.#paths = paths;
    this.#settings = settings;
  }

  async describe(): Promise<Description> {
    const { layout, parts, name, notes } = await this.#inspect();
    for (const part of parts) if (part.member === null) this.#names.set(part.path, part.name);
    const bytes = parts.some(({ pipe }) => pipe)
      ? null
      : parts.reduce((sum, part) => sum + storedBytes(part), 0);
    const { columns } = layout;
    const identity = await identityOf(parts);
    return { name, unit: "rows", columns, identity, bytes, notes, dialect: describedDialect(layout) };
  }

  difference(before: Json, now: Json): string | null {
    return identityDifference(before, now, (path) => this.#names.get(path) ?? path);
  }

  async shards(n: number, ordering: Ordering, options: PlanOptions): Promise<ShardPlan> {
    const inspection = await this.#inspect();
    await this.#refuseUnreached(inspection, options.kinds ?? []);
    return plan(inspection, n, ordering, options, this.#settings.granuleBytes);
  }

  async sample(n: number): Promise<readonly CsvRow[]> {
    const { layout, parts } = await this.#inspect();
    const rows = await this.#first(n, layout, parts);
    const kinds = guessKinds(layout, rows);
    return kinds.length === 0 ? rows : await this.#first(n, withKinds(layout, kinds), parts);
  }

  /** Options that a column of the first rows does not follow are refused before anything is written. Errors: `csv.holding`. */
  async #refuseUnreached(
    { layout, parts }: Inspection,
    kinds: NonNullable<PlanOptions["kinds"]>,
  ): Promise<void> {
    const holding = kinds.filter(([, kind]) => typeof kind === "object");
    if (holding.length === 0 || isPlain(layout)) return;
    for await (const row of this.#look(SAMPLE_ROWS, withKinds(layout, holding), parts))
      if (row instanceof ItemError && row.code === HOLDING)
        throw new PawlError(
          "csv.holding",
          `${parts[0]?.name}, ${row.message}: write it so, give the column a value with --set, or load it into a column of text.`,
        );
  }

  async #first(n: number, layout: Layout, parts: readonly Part[]): Promise<readonly CsvRow[]> {
    const rows: CsvRow[] = [];
    for await (const row of this.#look(n, layout, parts)) if (!(row instanceof ItemError)) rows.push(row);
    return rows;
  }

  /** The first rows, `n` of them that can be read, and those between them that cannot. */
  async *#look(n: number, layout: Layout, parts: readonly Part[]): AsyncGenerator<DecodedRow> {
    let left = n;
    const { signal } = new AbortController();
    const pace = { items: n, bytes: SAMPLE_BYTES };
    for (const part of parts) {
      const chunks = readStream(
        asStream(part),
        layout,
        beginning(asStream(part), 0),
        pace,
        signal,
        this.#stdin,
        "look",
      );
      for await (const chunk of chunks) {
        for await (const slice of chunk.slices())
          for (const row of slice) {
            if (left === 0) return;
            if (!(row instanceof ItemError)) left--;
            yield row;
          }
        if (left === 0) return;
      }
    }
  }

  async *read(
    shard: Shard,
    cursor: Cursor | null,
    pace: Pace,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<CsvRow>> {
    const { layout: planned, parts } = unpackShard(shard.data);
    // A record that was too large for the run as it was begun may be accepted when it goes on.
    const layout = { ...planned, maxRecordBytes: this.#settings.maxRecordBytes };
    const from = cursor as unknown as Place | null;
    for (let index = from?.part ?? 0; index < parts.length; index++) {
      const part = parts[index] as Part;
      const place = from?.part === index ? from : beginning(part, index);
      if (part.kind === "range") yield* readRange(part, layout, place, pace, signal);
      else yield* readStream(part, layout, place, pace, signal, this.#stdin);
    }
  }

  /** The rows again that failed: records as they were in the file, so that only columns and dialect are asked of it. */
  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource {
    return new ReplaySource(items, () => this.#layout());
  }

  get #stdin() {
    return this.#settings.stdin;
  }

  /** From the options where they say all, so that a replay works after the file is gone. */
  async #layout(): Promise<Layout> {
    const { columns, delimiter, quote, reading, comment, ignoreColumns, maxRecordBytes } = this.#settings;
    if (!columns || !delimiter) return (await this.#inspect()).layout;
    const dialect = { delimiter, quote, nullText: reading.nulls[0] as string };
    // The columns of a run that is replayed hold those that were added.
    const added = new Set([reading.fileColumn, reading.lineColumn]);
    const fields = columns.filter((name) => !added.has(name));
    return layoutOf({ dialect, reading, comment, fields, header: null, maxRecordBytes }, ignoreColumns);
  }

  #inspect(): Promise<Inspection> {
    this.#inspection ??= inspect(this.#paths, this.#settings).catch((error) => {
      // What was wrong may be put right before the next call.
      this.#inspection = null;
      throw error;
    });
    return this.#inspection;
  }
}

function beginning(part: Part, index: number): Place {
  return { part: index, at: part.offset, line: part.line };
}

/** A part as it looks from its first byte of text. */
function asStream(part: Part): StreamPart {
  if (part.kind === "stream") return part;
  return { ...part, kind: "stream", encoding: "utf-8", offset: part.offset - part.bom };
}
