import type { DuckDBInstance } from "@duckdb/node-api";
import { errorText } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { suggest } from "../../../near-names.ts";
import type { FileScan, PlanNode } from "../../plan/node.ts";
import { nodesOf, replaced } from "../../plan/walk.ts";
import { type ColumnField, isNumber, typeText } from "../../schema/column-type.ts";
import type { BadRow, QueryOptions, ScanCounts } from "../contract.ts";
import { badRowError, badRowsOf, refusedByScan } from "./bad-rows.ts";
import { call } from "./calls.ts";
import { typeName } from "./errors.ts";
import { loadDuckdb } from "./open.ts";
import type { DuckDBQuery, Profile, ProfileNode } from "./query.ts";
import { quoteText } from "./quote.ts";
import {
  assertUnchanged,
  assertWhole,
  groupsOf,
  identityOf,
  inParallel,
  type ScannedFile,
} from "./scan-files.ts";
import {
  BAD_ROW,
  BAD_VALUE,
  type FileGroup,
  fileFields,
  type ParquetColumn,
  parquetTable,
  pathsSql,
  readingScan,
  type ScanReading,
} from "./scan-sql.ts";
import { duckdbType } from "./types.ts";

/** Bad rows that are told at once. */
const ROWS_AT_ONCE = 1_000;

/** How many bad rows of each file the scans of each query have met: our function in DuckDB counts them. */
const MET = new Map<number, Map<string, number>>();
let lastRun = 0;
const REGISTERED = new WeakSet<DuckDBInstance>();

interface OpenScan {
  readonly original: FileScan;
  readonly reading: ScanReading;
  readonly files: readonly ScannedFile[];
}

/** The scans of one query: their files are looked at before it, and asked whether they are still the same after it. */
export class QueryScans {
  /** The plan with scans that know their files. */
  readonly plan: PlanNode;
  readonly #query: DuckDBQuery;
  readonly #options: QueryOptions;
  readonly #scans: readonly OpenScan[];
  readonly #run: number;
  readonly #ended = new AbortController();
  readonly #whole: Promise<unknown>;

  private constructor(
    plan: PlanNode,
    query: DuckDBQuery,
    options: QueryOptions,
    scans: readonly OpenScan[],
    run: number,
  ) {
    this.plan = plan;
    this.#query = query;
    this.#options = options;
    this.#scans = scans;
    this.#run = run;
    const packed = scans
      .flatMap(({ reading }) => reading.groups)
      .filter(({ compression }) => compression !== "none");
    this.#whole = inParallel(
      packed.flatMap(({ files, compression }) => files.map((file) => ({ file, compression }))),
      ({ file, compression }) => assertWhole(file, compression, this.#ended.signal),
    ).then(
      () => null,
      (error: unknown) => error,
    );
  }

  /** Looks at the files of a plan's scans. */
  static async open(plan: PlanNode, query: DuckDBQuery, options: QueryOptions): Promise<QueryScans> {
    const run = ++lastRun;
    const scans: OpenScan[] = [];
    const own = new Map<PlanNode, FileScan>();
    for (const node of nodesOf(plan)) {
      if (node.kind !== "scan") continue;
      const scan: FileScan = options.onBadRows === undefined ? { ...node, bad: "fail" } : node;
      const opened = await openScan(scan, query, { run, id: scans.length });
      scans.push(opened);
      own.set(node, readingScan(scan, opened.reading));
      if (scan.bad === "quarantine" || scan.format === "jsonl") await register(query);
    }
    if (scans.length === 0) return new QueryScans(plan, query, options, scans, run);
    MET.set(run, new Map());
    return new QueryScans(
      replaced(plan, (node) => own.get(node) ?? node),
      query,
      options,
      scans,
      run,
    );
  }

  /** After the last row: proves that the files were whole and stayed the same, and tells the rows that did not fit. */
  async complete(profile: Profile | undefined): Promise<ScanCounts> {
    const damaged = await this.#whole;
    if (damaged !== null) throw damaged;
    for (const { files } of this.#scans) await assertUnchanged(files);
    let rejected = 0;
    for (const scan of this.#scans)
      if (scan.original.bad === "quarantine") rejected += await this.#tellBadRows(scan);
    const taken = scannedRows(profile?.children ?? []);
    const met = [...(MET.get(this.#run)?.values() ?? [])].reduce((sum, rows) => sum + rows, 0);
    return { read: taken - met + rejected, kept: taken - met, rejected };
  }

  /** Why a query over these files has failed, as one sentence with the file, the line and the value where one is to blame. */
  async explained(error: unknown): Promise<unknown> {
    if (!(error instanceof PawlError) || this.#scans.length === 0) return error;
    if (!["data.engine", "data.cast", "data.overflow", "data.damaged"].includes(error.code)) return error;
    try {
      for (const { files } of this.#scans) await assertUnchanged(files);
    } catch (changed) {
      return changed;
    }
    const text = error.cause === undefined ? "" : errorText(error.cause, 1_000_000);
    const blamed = this.#blamed(text);
    if (blamed === null) return error;
    const { scan, file } = blamed;
    const group = scan.reading.groups.find(({ files }) => files.includes(file));
    if (group !== undefined && group.compression !== "none")
      try {
        await assertWhole(file, group.compression, new AbortController().signal);
      } catch (damaged) {
        return damaged;
      }
    try {
      const again = await this.#query.another();
      try {
        const [row] = await badRowsOf(again, scan.original, scan.reading, file, "first");
        if (row !== undefined) return badRowError(row);
      } finally {
        await again.close();
      }
    } catch {
      // What the first error says is better than nothing.
    }
    return fileError(file, text, error);
  }

  /** Ends what still reads beside the query. */
  close(): void {
    this.#ended.abort();
    MET.delete(this.#run);
  }

  #blamed(text: string): { readonly scan: OpenScan; readonly file: string } | null {
    const own = new RegExp(`${BAD_VALUE} (\\d+) (-?\\d+) ([\\s\\S]*)`).exec(text);
    const scan = own === null ? undefined : this.#scans[Number(own[1])];
    const named = scan === undefined ? this.#scans : [scan];
    const found = named
      .flatMap((each) => each.files.map(({ path }) => ({ scan: each, file: path })))
      .filter(({ file }) =>
        own === null
          ? text.includes(`file = ${file}\n`) || text.includes(`"${file}"`) || text.includes(`'${file}'`)
          : (own[3] as string).startsWith(file),
      )
      .sort((a, b) => b.file.length - a.file.length)[0];
    if (found !== undefined) return found;
    const all = this.#scans.flatMap((each) => each.files.map(({ path }) => ({ scan: each, file: path })));
    return all.length === 1 && /CSV|Parquet|thrift|don't know what type/i.test(text)
      ? (all[0] ?? null)
      : null;
  }

  async #tellBadRows({ original, reading }: OpenScan): Promise<number> {
    const refused = original.format === "parquet" ? [] : await refusedByScan(this.#query, reading);
    const places = new Set(refused.map(({ file, line }) => `${line} ${file}`));
    const rows: BadRow[] = [...refused];
    for (const [key, count] of MET.get(this.#run) ?? []) {
      const [id, file] = [Number(key.slice(0, key.indexOf(" "))), key.slice(key.indexOf(" ") + 1)];
      if (id !== reading.id) continue;
      const found = await badRowsOf(this.#query, original, reading, file, "all");
      const others = found.filter((row) => row.line === null || !places.has(`${row.line} ${row.file}`));
      // A query that needs only some rows may have ended before it met them all.
      const mayEndEarly = nodesOf(this.plan).some(({ kind }) => kind === "limit" || kind === "sql");
      if (others.length < count || (others.length > count && !mayEndEarly))
        throw new PawlError(
          "data.counts",
          `The engine rejected ${count} rows of ${file}, and ${others.length} are found that do not fit: the counts do not agree, so that the result is not given.`,
        );
      rows.push(...others.slice(0, count));
    }
    rows.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : (a.line ?? 0) - (b.line ?? 0)));
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE)
      await this.#options.onBadRows?.(rows.slice(from, from + ROWS_AT_ONCE));
    return rows.length;
  }
}

async function openScan(
  scan: FileScan,
  query: DuckDBQuery,
  place: { readonly run: number; readonly id: number },
): Promise<OpenScan> {
  const files = await inParallel(scan.locations, identityOf);
  if (scan.format !== "parquet") {
    const groups = await groupsOf(scan, files);
    return { original: scan, files, reading: { ...place, groups, parquet: new Map() } };
  }
  const paths = files.map(({ path }) => path);
  const groups: readonly FileGroup[] =
    paths.length === 0 ? [] : [{ files: paths, columns: fileFields(scan), compression: "none" }];
  const parquet =
    paths.length === 0 ? new Map<string, ParquetColumn>() : await parquetColumns(scan, groups, query);
  return { original: scan, files, reading: { ...place, groups, parquet } };
}

/** What the footers of Parquet files say of the declared columns. */
async function parquetColumns(
  scan: FileScan,
  groups: readonly FileGroup[],
  query: DuckDBQuery,
): Promise<ReadonlyMap<string, ParquetColumn>> {
  const fields = fileFields(scan);
  const files = groups.flatMap((group) => group.files);
  const types = new Map(
    (await query.run(`DESCRIBE SELECT * FROM ${parquetTable({ ...scan, hive: [] }, groups)}`)).map((row) => [
      String(row.column_name),
      String(row.column_type),
    ]),
  );
  for (const field of fields) assertColumn(field, types, files);
  if (files.length > 1) await assertEverywhere(fields, files, query);
  const required = fields.filter(({ type }) => !type.isNullable);
  const nulls = new Map<string, boolean>();
  if (required.length > 0)
    for (const row of await query.run(
      `SELECT path_in_schema AS name, coalesce(sum(stats_null_count), 0) > 0 OR count(*) > count(stats_null_count) AS nulls FROM parquet_metadata(${pathsSql(files)}) WHERE path_in_schema IN (${required.map(({ name }) => quoteText(name)).join(", ")}) GROUP BY 1`,
    ))
      nulls.set(String(row.name), row.nulls === true);
  return new Map(
    fields.map(({ name }) => [
      name,
      { type: types.get(name) as string, holdsNulls: nulls.get(name) ?? true },
    ]),
  );
}

function assertColumn(
  { name, type }: ColumnField,
  types: ReadonlyMap<string, string>,
  files: readonly string[],
): void {
  const where = files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`;
  // DuckDB tells one name of the type where it takes another one as well.
  const found = types.get(name)?.replaceAll("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ");
  if (found === undefined) {
    const names = [...types.keys()].filter((each) => each !== "pawl file");
    throw new PawlError(
      "data.columns",
      `${where} ${files.length === 1 ? "has" : "have"} no column ${JSON.stringify(name)}: ${suggest(name, names, `there ${names.length === 1 ? "is" : "are"} ${names.slice(0, 12).join(", ") || "none"}.`)}`,
    );
  }
  const wanted = duckdbType(type);
  const isAlike =
    found === wanted.replaceAll(", ", ",") ||
    (isNumber(type.kind) &&
      /^(?:U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\()/.test(found)) ||
    (type.kind === "timestamp" && /^TIMESTAMP(?:_S|_MS|_NS)?$/.test(found)) ||
    ((type.kind === "text" || type.kind === "json") && /^(?:VARCHAR|JSON|ENUM)/.test(found)) ||
    ((type.kind === "list" || type.kind === "struct") && sameShape(found, wanted));
  if (!isAlike)
    throw new PawlError(
      "data.columns",
      `${where} ${files.length === 1 ? "has" : "have"} the column ${JSON.stringify(name)} as ${typeName(found)}, and ${typeText(type.notNull())} is declared: declare what is there, and cast it.`,
    );
}

/** DuckDB writes names in types with and without quotes. */
function sameShape(found: string, wanted: string): boolean {
  const bare = (type: string) => type.replaceAll(/["\s]/g, "");
  return bare(found) === bare(wanted);
}

/** With many files, DuckDB takes nulls for a column that some of them do not have. */
async function assertEverywhere(
  fields: readonly ColumnField[],
  files: readonly string[],
  query: DuckDBQuery,
): Promise<void> {
  const names = fields.map(({ name }) => quoteText(name)).join(", ");
  if (names === "") return;
  const rows = await query.run(
    `SELECT file_name AS file, list(DISTINCT name) FILTER (name IN (${names})) AS names FROM parquet_schema(${pathsSql(files)}) GROUP BY 1`,
  );
  for (const row of rows) {
    const has = new Set((row.names as readonly string[] | null) ?? []);
    const missing = fields.find(({ name }) => !has.has(name));
    if (missing !== undefined)
      throw new PawlError(
        "data.columns",
        `${row.file} has no column ${JSON.stringify(missing.name)}, which other files of the frame have.`,
      );
  }
}

/** What can be said of a file that DuckDB's reader cannot read, when no single value is to blame. */
function fileError(file: string, text: string, error: PawlError): PawlError {
  if (/invalid state/.test(text))
    return new PawlError(
      "data.bad-value",
      `${file} cannot be read as a CSV: it mixes kinds of line ends, or has other quotes or another delimiter than was said.`,
      { cause: error },
    );
  if (/Maximum line size/i.test(text))
    return new PawlError("data.bad-value", `${file} has a line that is longer than a line may be.`, {
      cause: error,
    });
  if (error.code === "data.damaged")
    return new PawlError("data.damaged", `${file} is damaged: fetch or write it again.`, { cause: error });
  return error;
}

/** Rows that came out of the readers of files. */
function scannedRows(nodes: readonly ProfileNode[]): number {
  let rows = 0;
  for (const { operator_name: name = "", operator_cardinality: count = 0, children = [] } of nodes) {
    if (/READ_CSV|READ_PARQUET|PARQUET_SCAN/.test(name)) rows += count;
    rows += scannedRows(children);
  }
  return rows;
}

/** Gives DuckDB our function that counts bad rows. It is called for those alone, on this thread, with one call for many rows. */
async function register(query: DuckDBQuery): Promise<void> {
  if (REGISTERED.has(query.instance)) return;
  REGISTERED.add(query.instance);
  const { DuckDBScalarFunction, BOOLEAN, INTEGER, VARCHAR } = await loadDuckdb();
  const count = DuckDBScalarFunction.create({
    name: BAD_ROW,
    parameterTypes: [INTEGER, INTEGER, VARCHAR],
    returnType: BOOLEAN,
    volatile: true,
    mainFunction: (_info, input, output) => {
      const runs = input.getColumnVector(0);
      const scans = input.getColumnVector(1);
      const files = input.getColumnVector(2);
      for (let row = 0; row < input.rowCount; row++) {
        const met = MET.get(runs.getItem(row) as number);
        const key = `${scans.getItem(row)} ${files.getItem(row)}`;
        met?.set(key, (met.get(key) ?? 0) + 1);
        output.setItem(row, true);
      }
      output.flush();
    },
  });
  await call(async () => query.connection.registerScalarFunction(count));
}
