import { assertMethods, assertOptions, assertText, type OptionNames } from "../../arguments.ts";
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
import type { Json, QuarantineRecord } from "../../store/contract.ts";
import type { CsvRow, CsvSource } from "./contract.ts";
import { identityDifference, identityOf } from "./open/file-identity.ts";
import { storedBytes } from "./open/planned-file.ts";
import { type CheckedOptions, type CsvOptions, checkedOptions, type InternalOptions } from "./options.ts";
import { type Inspection, inspectFiles } from "./plan/inspect-files.ts";
import { type FilePart, type RecordPosition, type StreamPart, unpackShard } from "./plan/shard-data.ts";
import { planShards } from "./plan/shards.ts";
import { describedDialect, isPlain, layoutOf, type RecordLayout, withKinds } from "./record-layout.ts";
import { ReplaySource } from "./replay.ts";
import type { DecodedRow } from "./rows/plain-row-decoder.ts";
import { readRange } from "./rows/read-range.ts";
import { readStream } from "./rows/read-stream.ts";
import { COMPOSITE, guessKinds } from "./values/converters.ts";

/** Bytes of text that a sample may read in one step. */
const SAMPLE_BYTES = 256 * 1024;
/** Rows that are read to find options that cannot be followed. */
const SAMPLE_ROWS = 1000;

/**
 * A source of the rows of CSV files, for `defineJob`.
 *
 * Plain UTF-8 files are cut into shards at record boundaries, which are found by a scan of the whole file before any row is
 * read. What must be unpacked (gzip, Zstandard, zip) or decoded, is piped in, or lies on another machine, is read from its
 * beginning as one stream.
 *
 * A record that is not a row (`csv.ragged`, `csv.bytes`, `csv.value`, …) is an `ItemError` in its place, so that the run
 * quarantines it and continues.
 *
 * @param paths a path, a glob, `-` for standard input, `s3://bucket/key`, `https://host/path`, or `env:NAME` for an address in
 *   an environment variable; several are one source and must have the same columns
 * @throws PawlError `csv.option` at once, for options that contradict each other or have no meaning
 * @throws PawlError when the source is used, each in one sentence with file and line: `csv.missing`, `csv.no-match`,
 *   `csv.directory`, `csv.not-a-file`, `csv.permission`, `csv.address`, `csv.empty`, `csv.binary`, `csv.other-format`,
 *   `csv.encoding`, `csv.header`, `csv.header-differs`, `csv.stray-quote`, `csv.unclosed-quote`, `csv.record-too-large`,
 *   `csv.mixed-line-ends`, `csv.corrupt-archive`, `csv.no-key-column`, `csv.changed`, `csv.scratch`, `csv.stdin-taken`,
 *   `csv.other-input`, `csv.composite`
 * @example
 * ```ts
 * import { csv } from "pawl/connect/csv";
 *
 * const people = csv("people-*.csv", { delimiter: ";", nullValues: ["", "N/A"], maxRecordSize: "1MB" });
 * ```
 */
export function csv(paths: string | readonly string[], options: CsvOptions = {}): CsvSource {
  return csvSource(paths, options);
}

const OPTIONS: OptionNames<InternalOptions> = {
  delimiter: true,
  quote: true,
  escape: true,
  looseQuotes: true,
  nullValues: true,
  nullValuesFor: true,
  trim: true,
  skipLines: true,
  comment: true,
  dateOrder: true,
  decimal: true,
  thousands: true,
  fillMissing: true,
  ignoreExtra: true,
  fileColumn: true,
  lineColumn: true,
  encoding: true,
  header: true,
  columns: true,
  ignoreColumns: true,
  maxRecordSize: true,
  cwd: true,
  stdin: true,
  indexBlockBytes: true,
};

/** `csv` with what only the tests set. */
export function csvSource(paths: string | readonly string[], options: InternalOptions): CsvSource {
  const all = typeof paths === "string" ? [paths] : paths;
  assertMethods(all, "map", "csv takes the path of a file, or a list of them");
  for (const path of all) assertText(path, "The path of a file");
  assertOptions(options, OPTIONS, "csv");
  return new FileSource(all, checkedOptions(options));
}

class FileSource implements CsvSource {
  readonly #paths: readonly string[];
  readonly #options: CheckedOptions;
  #inspection: Promise<Inspection> | null = null;
  /** The names that messages give the files, by their paths. */
  readonly #names = new Map<string, string>();

  constructor(paths: readonly string[], options: CheckedOptions) {
    this.#paths = paths;
    this.#options = options;
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
    await this.#checkComposites(inspection, options.kinds ?? []);
    return planShards(inspection, n, ordering, options, this.#options.indexBlockBytes);
  }

  async sample(n: number): Promise<readonly CsvRow[]> {
    const { layout, parts } = await this.#inspect();
    const rows = await this.#first(n, layout, parts);
    const kinds = guessKinds(layout, rows);
    return kinds.length === 0 ? rows : await this.#first(n, withKinds(layout, kinds), parts);
  }

  /** Options that cannot be followed in a column of the first rows are refused before anything is written. Errors: `csv.composite`. */
  async #checkComposites(
    { layout, parts }: Inspection,
    kinds: NonNullable<PlanOptions["kinds"]>,
  ): Promise<void> {
    const composites = kinds.filter(([, kind]) => typeof kind === "object");
    if (composites.length === 0 || isPlain(layout)) return;
    for await (const row of this.#peek(SAMPLE_ROWS, withKinds(layout, composites), parts))
      if (row instanceof ItemError && row.code === COMPOSITE)
        throw new PawlError(
          "csv.composite",
          `${parts[0]?.name}, ${row.message}: write it in that way, give the column a value with \`set\`, or load it into a column of text.`,
        );
  }

  async #first(n: number, layout: RecordLayout, parts: readonly FilePart[]): Promise<readonly CsvRow[]> {
    const rows: CsvRow[] = [];
    for await (const row of this.#peek(n, layout, parts)) if (!(row instanceof ItemError)) rows.push(row);
    return rows;
  }

  /** The first rows, `n` of them that can be read, and those between them that cannot. */
  async *#peek(n: number, layout: RecordLayout, parts: readonly FilePart[]): AsyncGenerator<DecodedRow> {
    let left = n;
    const { signal } = new AbortController();
    const reading = { size: { items: n, bytes: SAMPLE_BYTES }, signal, stdin: this.#options.stdin };
    for (const part of parts) {
      const stream = asStream(part);
      const chunks = readStream(stream, layout, beginning(stream, 0), { ...reading, purpose: "peek" });
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
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<CsvRow>> {
    const { layout: planned, parts } = unpackShard(shard.data);
    const { maxRecordBytes, stdin } = this.#options;
    // A record that was too large when the run began may be accepted when it continues.
    const layout = { ...planned, maxRecordBytes };
    const from = cursor as unknown as RecordPosition | null;
    for (let index = from?.part ?? 0; index < parts.length; index++) {
      const part = parts[index] as FilePart;
      const position = from?.part === index ? from : beginning(part, index);
      if (part.kind === "range") yield* readRange(part, layout, position, size, signal);
      else yield* readStream(part, layout, position, { size, signal, stdin, purpose: "read" });
    }
  }

  /** The rows that failed: records as they were in the file, of which only columns and dialect are read again. */
  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource {
    return new ReplaySource(items, () => this.#layout());
  }

  /** From the options alone where they say everything, so that a replay works after the file is gone. */
  async #layout(): Promise<RecordLayout> {
    const { columns, delimiter, quote, reading, comment, ignoreColumns, maxRecordBytes } = this.#options;
    if (!columns || !delimiter) return (await this.#inspect()).layout;
    const dialect = { delimiter, quote, nullValue: reading.nulls[0] as string };
    // The columns of a run that is replayed hold those that were added.
    const added = new Set([reading.fileColumn, reading.lineColumn]);
    const fields = columns.filter((name) => !added.has(name));
    return layoutOf({ dialect, reading, comment, fields, header: null, maxRecordBytes }, ignoreColumns);
  }

  #inspect(): Promise<Inspection> {
    this.#inspection ??= inspectFiles(this.#paths, this.#options).catch((error) => {
      // What was wrong may be corrected before the next call.
      this.#inspection = null;
      throw error;
    });
    return this.#inspection;
  }
}

function beginning(part: FilePart, index: number): RecordPosition {
  return { part: index, at: part.offset, line: part.line };
}

/** A part as a stream, from its first byte of text. */
function asStream(part: FilePart): StreamPart {
  if (part.kind === "stream") return part;
  return { ...part, kind: "stream", encoding: "utf-8", offset: part.offset - part.bom };
}
