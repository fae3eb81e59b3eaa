import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Chunk,
  ChunkSize,
  Cursor,
  Description,
  Ordering,
  Origin,
  PlanOptions,
  Shard,
  ShardPlan,
  Source,
} from "../../batch/contract.ts";
import { PawlError } from "../../errors.ts";
import { own, setOwn } from "../../own.ts";
import { duckdb } from "../engine/duckdb/duckdb.ts";
import { quoteText } from "../engine/duckdb/quote.ts";
import { heldBytes } from "../frame/held-bytes.ts";
import { rawJson } from "../frame/row-json.ts";
import { rowsOf } from "../frame/rows.ts";
import { type FrameRunOptions, openRun } from "../frame/run.ts";
import { numbered } from "../parts/numbered.ts";
import { RunFolder } from "../parts/run-folder.ts";
import type { PlanNode, SqlPlanNode } from "../plan/node.ts";
import { planIdentity } from "../read/identity.ts";
import { type ColumnField, type ColumnType, type Kind, text as textType } from "../schema/column-type.ts";

/** Memory of the engine that reads the rows of a shard back. */
const READ_MEMORY = 64 * 1024 * 1024;

/** Rows of a row group of the staged file: a shard is read from its beginning or from a cursor without the groups before. */
const GROUP_ROWS = 16_384;

/** A shard has at least so many rows, so that small results are not cut to pieces. */
const LEAST_SHARD_ROWS = 10_000;

/** What a shard is: rows of the file that the plan was staged into. */
interface ShardData {
  readonly path: string;
  readonly first: number;
  readonly rows: number;
}

/**
 * The rows of a frame as the source of a job. The plan is run once, when the job begins, into a file of the run; shards are ranges of its
 * rows, so that a run that was killed continues with the very rows that it began with.
 */
export class FrameSource<T> implements Source<T> {
  readonly #plan: PlanNode;
  readonly #options: FrameRunOptions;

  constructor(plan: PlanNode, options: FrameRunOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  async describe(): Promise<Description> {
    const signal = this.#options.signal ?? new AbortController().signal;
    return {
      name: nameOf(this.#plan),
      unit: "rows",
      columns: this.#plan.fields.map(({ name }) => name),
      declared: this.#plan.fields.map(({ type }) => ({
        type: postgresType(type),
        nullable: type.isNullable,
      })),
      // Whatever does not tell whether it has changed was read once, when the run began.
      identity: await planIdentity(this.#plan, { signal, assumed: "as the run began" }),
      bytes: null,
      notes: [],
    };
  }

  difference(): string {
    return "its files or the frame itself are not what they were";
  }

  async shards(n: number, ordering: Ordering, { folder, signal }: PlanOptions): Promise<ShardPlan> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, "frame.parquet");
    await using run = await openRun([this.#plan], { ...this.#options, signal });
    const { rows } = await run.session.write(
      numbered(await run.prepared(this.#plan), this.#plan.fields),
      {
        format: "parquet",
        path,
        partitionBy: [],
        compression: "snappy",
        rowGroup: GROUP_ROWS,
        csv: null,
      },
      run.query,
    );
    await run.finished();
    // Two rows may have one key, of which the later one wins: they must stay in one shard.
    const most = ordering.kind === "any" ? Math.max(1, Math.min(n, Math.ceil(rows / LEAST_SHARD_ROWS))) : 1;
    const size = Math.ceil(rows / most);
    const shards = Array.from({ length: rows === 0 ? 1 : Math.ceil(rows / size) }, (_, index): Shard => {
      const first = index * size;
      const count = Math.min(size, rows - first);
      return { data: { path, first, rows: count }, items: count, bytes: null };
    });
    return { shards, duplicates: null, notes: [] };
  }

  async sample(n: number): Promise<readonly T[]> {
    const plan: PlanNode = {
      kind: "limit",
      input: this.#plan,
      count: n,
      offset: 0,
      fields: this.#plan.fields,
    };
    await using run = await openRun([plan], this.#options);
    const rows: T[] = [];
    for await (const batch of run.batches(plan))
      for (const row of rowsOf(batch, plan.fields)) rows.push(row as T);
    return rows;
  }

  async *read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<T>, void, undefined> {
    const { path, first, rows } = shard.data as unknown as ShardData;
    const end = first + rows;
    let at = cursor === null ? first : (cursor as number);
    if (at >= end) return;
    await using folder = RunFolder.create(tmpdir());
    const session = await duckdb.open({
      memory: READ_MEMORY,
      spillFolder: join(folder.path, "spill"),
      spillLimit: null,
      threads: 1,
    });
    try {
      let held: T[] = [];
      let bytes = 0;
      const { fields } = this.#plan;
      const plan = rangePlan(this.#plan, path, at, end);
      const jsonNames = fields.filter(({ type }) => type.kind === "json").map(({ name }) => name);
      for await (const batch of session.batches(plan, { signal })) {
        const share = heldBytes(batch, plan.fields) / batch.rows;
        for (const row of rowsOf(batch, plan.fields)) {
          for (const name of jsonNames) {
            const text = own(row, name);
            if (typeof text === "string") setOwn(row, name, exactJson(text));
          }
          held.push(row as T);
          bytes += share;
          if (held.length < size.items && bytes < size.bytes) continue;
          at += held.length;
          yield new RowChunk(held, at, fields);
          held = [];
          bytes = 0;
        }
      }
      at += held.length;
      if (at !== end)
        throw new PawlError(
          "data.short",
          `The file ${path}, in which the rows of this run were put when it began, has ${at - first} of the ${rows} rows of a shard.`,
        );
      if (held.length > 0) yield new RowChunk(held, at, fields);
    } finally {
      await session.close();
    }
  }
}

/** The rows of a staged file from one to before another, in their order; of any JSON, its text. */
function rangePlan({ fields }: PlanNode, path: string, from: number, end: number): SqlPlanNode {
  const columns = fields.map((_, index) => `c${index}`).join(", ");
  const text = `SELECT ${columns} FROM read_parquet(${quoteText(path)}, file_row_number = true) WHERE file_row_number >= ${from} AND file_row_number < ${end}`;
  const read = fields.map(({ name, type }) => {
    if (type.kind !== "json") return { name, type };
    return { name, type: type.isNullable ? textType().nullable() : textType() };
  });
  return { kind: "sql", inputs: [], text, fields: read };
}

/** What a run calls the frame: its files or tables. */
function nameOf(plan: PlanNode): string {
  if (plan.kind === "scan") return plan.locations.join(", ");
  if (plan.kind === "table") return plan.table;
  return "a frame";
}

class RowChunk<T> implements Chunk<T> {
  readonly items: number;
  readonly bytes = 0;
  readonly end: number;
  readonly #rows: readonly T[];
  readonly #fields: readonly ColumnField[];

  constructor(rows: readonly T[], end: number, fields: readonly ColumnField[]) {
    this.#rows = rows;
    this.#fields = fields;
    this.items = rows.length;
    this.end = end;
  }

  async *slices(): AsyncGenerator<readonly T[], void, undefined> {
    yield this.#rows;
  }

  async origin(index: number): Promise<Origin> {
    const row = this.#rows[index] as Readonly<Record<string, unknown>>;
    return {
      raw: Buffer.from(quarantined(row, this.#fields)),
      at: `row ${this.end - this.items + index + 1} of the frame`,
    };
  }
}

/**
 * A row as the quarantine keeps it, so that it is the same row when it is replayed: what a number of JavaScript cannot hold is text, and so is
 * any JSON, of which a text could not be told from JSON's own form.
 */
function quarantined(row: Readonly<Record<string, unknown>>, fields: readonly ColumnField[]): string {
  const kept: Record<string, unknown> = {};
  for (const { name, type } of fields) {
    const value = own(row, name);
    const isText = typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value));
    const isJson = value !== null && (type.kind === "json" || type.kind === "struct");
    setOwn(kept, name, isJson ? rowText(value) : isText ? String(value) : value);
  }
  return rowText(kept);
}

/** A value as JSON, with nothing lost: what JSON has no number for is text, and bytes are `\\x` and hexadecimal digits. */
function rowText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return rawJson(inner.toString());
    if (typeof inner === "number" && !Number.isFinite(inner)) return String(inner);
    return inner instanceof Uint8Array ? `\\x${Buffer.from(inner).toString("hex")}` : inner;
  });
}

/** JSON in which numbers that JavaScript cannot hold keep all their digits, as values that only `JSON.stringify` reads. */
function exactJson(text: string): unknown {
  if (!/\d{16}|\d[eE]|\.\d{15}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    const digits = source.replace(/[eE].*$/, "").replaceAll(/[-.]|^-?0+\.?0*/g, "");
    return Number.isFinite(value) && digits.length <= 15 && (value !== 0 || /^0*$/.test(digits))
      ? value
      : rawJson(source);
  });
}

/** What PostgreSQL calls a type. */
function postgresType(type: ColumnType): string {
  const { kind, of, precision, scale } = type;
  if (kind === "decimal") return `numeric(${precision},${scale})`;
  if (kind !== "list") return POSTGRES_TYPES[kind];
  // Lists in lists may differ in length, which arrays of PostgreSQL may not.
  const isFlat = of !== undefined && of.kind !== "list" && of.kind !== "struct" && of.kind !== "json";
  return isFlat ? `${postgresType(of)}[]` : "jsonb";
}

const POSTGRES_TYPES: Readonly<Record<Exclude<Kind, "decimal" | "list">, string>> = {
  bool: "boolean",
  int8: "smallint",
  int16: "smallint",
  int32: "integer",
  int64: "bigint",
  uint8: "smallint",
  uint16: "integer",
  uint32: "bigint",
  uint64: "numeric(20,0)",
  float32: "real",
  float64: "double precision",
  text: "text",
  bytes: "bytea",
  date: "date",
  time: "time",
  timestamp: "timestamp",
  timestamptz: "timestamptz",
  uuid: "uuid",
  json: "jsonb",
  struct: "jsonb",
};
