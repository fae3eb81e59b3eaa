import { createHash } from "node:crypto";
import type { Source } from "../../batch/contract.ts";
import { defineJob } from "../../batch/index.ts";
import type { AnyJob } from "../../batch/internal.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { type CsvOptions, type CsvRow, csv } from "../../connect/csv/index.ts";
import { postgres } from "../../connect/postgres/index.ts";
import { fileFormat } from "../../file-format.ts";
import { comparableUrl } from "../../postgres-url.ts";
import type { JobReference, Json } from "../../store/contract.ts";
import { importTransform } from "../options/module.ts";
import { LOAD_MODULE } from "../runs/built-in-jobs.ts";

/** What reading typed files takes at least. */
const LEAST_FRAME_MEMORY = 384 * 1024 * 1024;

/** What a load is, as it is stored with its run: everything but the password, in one spelling. */
export interface LoadParams {
  readonly files: readonly string[];
  /** The database without a password, `env:NAME`, or `embedded`. */
  readonly into: string;
  readonly table: string;
  readonly key: readonly string[] | null;
  readonly map: Readonly<Record<string, string>>;
  readonly set: Readonly<Record<string, string>>;
  /** Null where it was not said. */
  readonly onConflict: "update" | "ignore" | "fail" | null;
  readonly append?: boolean;
  readonly updateIf?: string;
  readonly deleteMissing?: boolean;
  readonly resetSequence?: boolean;
  readonly create: boolean;
  readonly transform: string | null;
  /** Without what holds anyway. */
  readonly csv: CsvOptions;
  /** Of an Excel file. */
  readonly sheet?: string;
}

/** What may differ from one attempt to the next. */
export interface LoadTuning {
  readonly maxQuarantined?: number | `${number}%`;
  readonly memory?: number;
  readonly shards?: number;
  readonly atLeastOnce?: boolean;
  readonly unique?: boolean;
  readonly maxRecordBytes?: number;
  /** The files as they were given, and where: what messages call them. */
  readonly given?: { readonly folder: string; readonly files: readonly string[] };
  readonly maxDeletes?: number | `${number}%`;
}

/** A load as it stands in the store. */
export type StoredLoad = LoadParams & { readonly tuning: LoadTuning };

export function loadReference(params: LoadParams, tuning: LoadTuning): JobReference {
  return {
    name: `load ${params.table}`,
    module: LOAD_MODULE,
    params: { ...params, tuning } as unknown as Json,
  };
}

/** Two loads with one key are the same work: an interrupted one is resumed by the other. */
export function loadKey(params: LoadParams): string {
  // Where `--create` leaves open whether the table gets a key, an update without one is refused before anything is written.
  const onConflict = params.onConflict ?? "update";
  // A column that is mapped to its own name goes there anyway, and two texts leave one out.
  const map = Object.entries(params.map)
    .filter(([name, column]) => name !== column)
    .map(([name, column]) => [name, column || "-"]);
  const into = comparableUrl(params.into);
  const work = canonicalJson({ ...params, into, onConflict, map: Object.fromEntries(map) });
  return `load ${createHash("sha256").update(work).digest("hex")}`;
}

/** The job of a load. `url` is the database with its password, if it has one. */
export async function loadJob(params: LoadParams, tuning: LoadTuning, url: string): Promise<AnyJob> {
  const { given: _given, maxDeletes, unique = false, maxRecordBytes: _maxRecordBytes, ...rest } = tuning;
  const transform = params.transform === null ? undefined : await importTransform<CsvRow>(params.transform);
  return defineJob<CsvRow, Record<string, unknown>>({
    name: `load ${params.table}`,
    key: loadKey(params),
    source: await sourceOf(params, tuning),
    ...transform,
    sink: postgres({
      url,
      table: params.table,
      map: params.map,
      set: params.set,
      ...(params.onConflict === null ? {} : { onConflict: params.onConflict }),
      ...(params.deleteMissing ? { deleteMissing: true } : {}),
      ...(params.resetSequence ? { resetSequence: true } : {}),
      ...(maxDeletes === undefined ? {} : { maxDeletes }),
      ...(params.append ? { append: true } : {}),
      ...(params.updateIf === undefined ? {} : { updateIf: params.updateIf }),
      create: params.create,
      unique,
      ...(params.key ? { key: params.key } : {}),
    }),
    ...rest,
  }) as unknown as AnyJob;
}

/** The rows of the files: of a CSV as texts, of other formats as the values that they hold. */
async function sourceOf(
  params: LoadParams,
  { given, maxRecordBytes, memory }: LoadTuning,
): Promise<Source<CsvRow>> {
  if (!hasTypedRows(params.files))
    return csv(given?.files ?? params.files, {
      ...params.csv,
      ...(maxRecordBytes === undefined ? {} : { maxRecordSize: maxRecordBytes }),
      ...(given ? { cwd: given.folder } : {}),
    });
  const { filesFrame } = await import("../../data/internal.ts");
  const options = { memory: Math.max(memory ?? 0, LEAST_FRAME_MEMORY) };
  const frame = await filesFrame(params.files, options, params.sheet);
  return frame.source(options) as unknown as Source<CsvRow>;
}

/** Whether files hold values of types and not texts: Parquet, JSON lines and Excel, by their names. */
export function hasTypedRows(files: readonly string[]): boolean {
  return files.some((file) => {
    const format = fileFormat(file)?.format;
    return format !== undefined && format !== "csv";
  });
}
