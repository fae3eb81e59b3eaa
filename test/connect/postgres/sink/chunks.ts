import type {
  Checkpoint,
  Chunk,
  Counts,
  OpenSink,
  SinkContext,
  WriteOutcome,
  Writer,
} from "../../../../src/batch/contract.ts";
import type { CsvChunk, CsvRow } from "../../../../src/connect/csv/contract.ts";
import { type PostgresOptions, postgres } from "../../../../src/connect/postgres/index.ts";

/** A chunk over records given as CSV text, one string a record, which may hold quoted newlines. */
export function csvChunk(columns: readonly string[], records: readonly string[], nullValue = ""): CsvChunk {
  const buffers = records.map((record) => Buffer.from(record));
  return {
    items: records.length,
    bytes: buffers.reduce((sum, buffer) => sum + buffer.length + 1, 0),
    end: records.length,
    slices(): AsyncIterable<CsvRow[]> {
      throw new Error("A CSV chunk is not to be decoded.");
    },
    origin: async (index) => ({ raw: buffers[index] ?? Buffer.alloc(0), at: `test.csv line ${index + 2}` }),
    csv: {
      dialect: { delimiter: ",", quote: '"', nullValue },
      columns,
      async *bytes() {
        yield Buffer.from(records.map((record) => `${record}\n`).join(""));
      },
      async *records() {
        for (let start = 0; start < buffers.length; start += 100) yield buffers.slice(start, start + 100);
      },
      refusal: () => null,
    },
  };
}

/** A chunk of objects, as a transform makes them. */
export function objectChunk<T>(items: readonly T[]): Chunk<T> {
  return {
    items: items.length,
    bytes: items.length * 100,
    end: items.length,
    async *slices() {
      for (let start = 0; start < items.length; start += 100) yield items.slice(start, start + 100);
    },
    origin: async (index) => ({ raw: Buffer.from(JSON.stringify(items[index])), at: `item ${index}` }),
  };
}

export function context(columns: readonly string[] | null, more: Partial<SinkContext> = {}): SinkContext {
  return {
    run: "run1",
    source: { name: "test.csv", unit: "rows", columns, identity: null, bytes: null, notes: [] },
    transformed: false,
    dryRun: false,
    sample: async () => [],
    memory: 64 * 1024 * 1024,
    folder: "",
    cache: "",
    limits: { run: (work) => work(() => {}), pass: async () => {} },
    signal: new AbortController().signal,
    ...more,
  };
}

const noCounts: Counts = {
  read: 0,
  added: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  quarantined: 0,
  duplicates: 0,
  bytes: 0,
};

export function checkpoint(cursor: number, done = false): Checkpoint {
  return { cursor, counts: { ...noCounts, read: cursor }, done };
}

/** Writes a chunk and returns what the writer said became of it. */
export async function write<T>(writer: Writer<T>, chunk: Chunk<unknown>): Promise<WriteOutcome> {
  let outcome: WriteOutcome | undefined;
  await writer.write(chunk as Chunk<T>, async (made) => {
    outcome = made;
    return checkpoint(chunk.items);
  });
  if (outcome === undefined) throw new Error("No checkpoint was asked for.");
  const { written, unchanged, skipped, failures } = outcome;
  if (written + unchanged + skipped + failures.length !== chunk.items) {
    throw new Error(`The outcome does not add up: ${JSON.stringify(outcome)}`);
  }
  return { ...outcome, failures: [...failures].sort((a, b) => a.index - b.index) };
}

/** One writer for everything. */
export function only<T>(open: OpenSink<T>, fence = 1): Promise<Writer<T>> {
  return open.writer(0, fence);
}

let runs = 0;

/** The table of a load, opened for a run of its own; `columns` are those of the file, null where a transform makes the items. */
export function openLoad(
  options: PostgresOptions,
  columns: readonly string[] | null,
  more: Partial<SinkContext> = {},
): Promise<OpenSink<Record<string, unknown>>> {
  return postgres(options).open(context(columns, { run: `w${++runs}`, ...more }));
}

/** Writes chunks of CSV records with one writer, and returns what became of each. */
export async function writeChunks(
  sink: OpenSink<Record<string, unknown>>,
  columns: readonly string[],
  ...chunks: readonly (readonly string[])[]
): Promise<WriteOutcome[]> {
  const writer = await only(sink);
  try {
    const outcomes: WriteOutcome[] = [];
    for (const records of chunks) outcomes.push(await write(writer, csvChunk(columns, records)));
    return outcomes;
  } finally {
    await writer.close();
  }
}
