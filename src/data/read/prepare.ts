import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { isUrl } from "../../url-scheme.ts";
import type { EngineSession } from "../engine/contract.ts";
import type { FileScan, PlanNode, TableScan } from "../plan/node.ts";
import { type ColumnField, text } from "../schema/column-type.ts";
import { testsOf } from "./conditions.ts";
import { type DataFile, findDataFiles } from "./locations.ts";
import { type Needs, needsOf, withLeaves } from "./needed.ts";
import { isOutsideOf } from "./partitions.ts";
import { stageTable } from "./postgres-table.ts";
import { RemoteBuckets } from "./remote-buckets.ts";
import {
  type ParquetNeeds,
  type StagedFile,
  type StageOptions,
  stageBeginnings,
  stageParquet,
  stageWhole,
} from "./stage-files.ts";
import { StagingArea } from "./staging-area.ts";
import { assertWholeFiles } from "./whole-files.ts";

/** What the scans of a run may use. */
export interface ScanContext {
  /** The engine of the run, which makes Parquet of rows from elsewhere. */
  readonly session: EngineSession;
  /** A folder of this run for its files. The caller removes it afterwards. */
  readonly folder: string;
  /** Bytes that its files may take; null where only the disk limits them. */
  readonly limit: number | null;
  /** Bytes of memory that may be held. */
  readonly memory: number;
  readonly signal: AbortSignal;
  /**
   * Where relative paths begin.
   * @default the working directory
   */
  readonly cwd?: string;
  /**
   * A profile of `~/.aws/config` or `~/.azure/config` by which buckets are reached.
   * @default null, which takes the environment
   */
  readonly profile?: string | null;
}

/** A plan that an engine can run: all that it reads is a file of this machine. */
export interface PreparedPlan {
  readonly plan: PlanNode;
  /** Bytes that were copied to this machine for it. */
  readonly stagedBytes: number;
  /** The files of the user by the paths that the plan has for them, where those are others. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * Gives each scan of a plan the files of this machine that it reads: patterns and folders become lists of files, of which the listing
 * proved complete; files of buckets and of the web are copied, of Parquet only the columns and row groups that the plan needs; tables of
 * PostgreSQL are read at one moment. Errors: see `findDataFiles`, `stageParquet` and `stageTable`.
 */
export async function prepareScans(plan: PlanNode, options: ScanContext): Promise<PreparedPlan> {
  const area = new StagingArea(await mkdtemp(join(options.folder, "scans-")), options.limit);
  const names = new Map<string, string>();
  const replaced = new Map<PlanNode, PlanNode>();
  await using buckets = new RemoteBuckets(options.profile ?? null);
  // One after the other: each may take all of the memory and of the network.
  for (const [leaf, needs] of needsOf(plan)) {
    options.signal.throwIfAborted();
    if (leaf.kind === "scan") {
      const found = await filesOf(leaf, needs, { ...options, area, buckets });
      for (const { path, name } of found.files) if (path !== name) names.set(path, name);
      replaced.set(leaf, found.scan);
    } else if (leaf.kind === "table") {
      const scan = narrowed(leaf, needs);
      replaced.set(leaf, await stageTable(scan, needs.where, { ...options, area }));
    }
  }
  return {
    plan: withLeaves(plan, (leaf) => replaced.get(leaf) ?? leaf),
    stagedBytes: area.bytes,
    names,
  };
}

async function filesOf(
  scan: FileScan,
  needs: Needs,
  options: ScanContext & { readonly area: StagingArea; readonly buckets: RemoteBuckets },
): Promise<{ readonly scan: PlanNode; readonly files: readonly StagedFile[] }> {
  const { area, buckets, memory, signal, cwd = process.cwd() } = options;
  const tests = testsOf(needs.where);
  const all = await findDataFiles(scan.locations, { cwd, format: scan.format, buckets, signal });
  const wanted = all.filter((file) => !isOutsideOf(file, scan.hive, tests));
  const needed = scan.format === "parquet" ? narrowed(scan, needs) : scan;
  if (wanted.length === 0) return { scan: { kind: "values", fields: needed.fields, rows: [] }, files: [] };
  const how = { area, buckets, memory, signal };
  // Whose columns are to be told yet: of Parquet the footers do, of texts their beginning.
  if (scan.fields.length === 0) {
    const files =
      scan.format === "parquet"
        ? await stageParquet(wanted, { columns: null, tests: [], rows: 0 }, how)
        : await stageBeginnings(wanted, how);
    return { scan: { ...scan, locations: files.map(({ path }) => path) }, files };
  }
  const files =
    scan.format === "parquet"
      ? await stageRows(
          wanted,
          { columns: fileColumns(needed), tests: testsOfFiles(scan, tests) },
          needs,
          how,
        )
      : await stageWhole(wanted, how);
  if (scan.format !== "parquet") await assertWholeFiles(files, signal);
  const local = { ...needed, locations: files.map(({ path }) => path) };
  return { scan: withNames(local, files), files };
}

/** Parquet files; where any so many rows suffice, only as many of those elsewhere as have them. */
async function stageRows(
  files: readonly DataFile[],
  parquet: ParquetNeeds,
  { rows = null }: Needs,
  how: StageOptions,
): Promise<readonly StagedFile[]> {
  if (rows === null) return await stageParquet(files, parquet, how);
  const staged: StagedFile[] = [];
  let left = rows;
  for (const file of files) {
    if (file.place.kind !== "local" && left <= 0 && staged.length > 0) continue;
    const [one] = await stageParquet([file], { ...parquet, rows: left }, how);
    if (one === undefined) continue;
    staged.push(one);
    left -= one.rows ?? 0;
  }
  return staged;
}

/** A scan whose column of files tells where they really are: of copies the name of what was copied. */
function withNames(scan: FileScan, files: readonly StagedFile[]): PlanNode {
  const { fileColumn, fields } = scan;
  const isCopy = files.some(({ path, name }) => isUrl(name) && path !== name);
  if (!isCopy || !fields.some(({ name }) => name === fileColumn) || fileColumn === null) return scan;
  const names: PlanNode = {
    kind: "values",
    fields: [
      { name: "path", type: text() },
      { name: "name", type: text() },
    ],
    rows: files.map(({ path, name }) => [path, isUrl(name) ? name : path]),
  };
  return {
    kind: "join",
    left: scan,
    right: names,
    how: "inner",
    on: [{ left: fileColumn, right: "path" }],
    condition: null,
    columns: fields.map(({ name }) =>
      name === fileColumn
        ? { name, from: "right" as const, column: "name" }
        : { name, from: "left" as const, column: name },
    ),
    fields,
  };
}

/** The columns that stand in the files themselves. */
function fileColumns({ fields, hive, fileColumn }: FileScan): readonly string[] {
  const others = new Set([...hive.map(({ name }) => name), fileColumn]);
  return fields.filter(({ name }) => !others.has(name)).map(({ name }) => name);
}

/** Without those of columns that come from folders: a column of that name in a file is not what is meant. */
function testsOfFiles(
  { hive, fileColumn }: FileScan,
  tests: ReturnType<typeof testsOf>,
): ReturnType<typeof testsOf> {
  const others = new Set([...hive.map(({ name }) => name), fileColumn]);
  return tests.filter(({ column }) => !others.has(column));
}

/** Kinds whose columns are small: one of them is read where only the number of rows matters. */
const SMALL = new Set([
  "bool",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "date",
  "float32",
  "int64",
]);

function narrowed<T extends FileScan | TableScan>(scan: T, { columns }: Needs): T {
  if (columns === null) return scan;
  const isNeeded = ({ name }: ColumnField) => columns.has(name);
  const fields = scan.fields.filter(isNeeded);
  const small = scan.fields.find(({ type }) => SMALL.has(type.kind)) ?? scan.fields[0];
  const kept = fields.length > 0 || small === undefined ? fields : [small];
  return { ...scan, fields: kept };
}
