import { PawlError } from "../../errors.ts";
import { knownFormat } from "../../file-format.ts";
import { Frame } from "../frame/frame.ts";
import { type FrameRun, type FrameRunOptions, openRun } from "../frame/run.ts";
import type { FileScan, PlanNode, SqlPlanNode } from "../plan/node.ts";
import { describeExcel, type ExcelOptions, readExcel } from "../read/excel/read-excel.ts";
import { type ColumnField, schemaOf } from "../schema/column-type.ts";

/** A frame of files whose columns are found in the files themselves. Of a workbook a sheet is read, by default its first one. */
export async function filesFrame(
  locations: string | readonly string[],
  options: FrameRunOptions = {},
  sheet?: ExcelOptions["sheet"],
): Promise<Frame> {
  const [location = "", ...others] = typeof locations === "string" ? [locations] : locations;
  const { format } = knownFormat(location);
  const other = others.find((each) => knownFormat(each).format !== format);
  if (other !== undefined)
    throw new PawlError(
      "data.format",
      `${location} and ${other} are of two formats: take one after the other.`,
    );
  if (format === "excel") return await sheetFrame([location, ...others], sheet);
  const scan = { ...undescribedScan(location), locations: [location, ...others] };
  await using run = await openRun([scan], options);
  return new Frame(await described(scan, run));
}

async function sheetFrame(locations: readonly string[], sheet: ExcelOptions["sheet"]): Promise<Frame> {
  const options = sheet === undefined ? {} : { sheet };
  const fields = await describeExcel(locations[0] as string, options);
  return readExcel(locations, schemaOf(fields), options);
}

/**
 * A frame of a query in SQL, whose tables are the names of files. Rejects with a PawlError `data.sql` where the text is not one SELECT,
 * and `data.format` where a name does not say what the file holds. Of workbooks the `sheet` is read, by default the first one.
 */
export async function queryFrame(
  sql: string,
  options: FrameRunOptions = {},
  sheet?: ExcelOptions["sheet"],
): Promise<Frame> {
  const text = sql.trim().replace(/;+$/, "");
  const { names, mentioned } = await readBy(text, options);
  const scans = names.flatMap((name) =>
    knownFormat(name).format === "excel" ? [] : [undescribedScan(name)],
  );
  await using run = await openRun(scans, options);
  const inputs: SqlPlanNode["inputs"][number][] = [];
  // As far as the columns go: of files elsewhere no row is fetched to tell them.
  const samples: SqlPlanNode["inputs"][number][] = [];
  for (const name of names) {
    const scan = scans.find(({ locations }) => locations[0] === name);
    if (scan === undefined) {
      const { plan } = await sheetFrame([name], sheet);
      inputs.push({ name, plan });
      samples.push({ name, plan: { kind: "values", fields: plan.fields, rows: [] } });
    } else {
      const sample = await run.prepared(scan);
      const fields = await run.session.describe(sample);
      inputs.push({ name, plan: { ...scan, fields: mentionedFields(scan, fields, mentioned) } });
      samples.push({ name, plan: { ...sample, fields } as FileScan });
    }
  }
  const plan: SqlPlanNode = { kind: "sql", inputs, text, fields: [] };
  return new Frame({ ...plan, fields: await run.session.describe({ ...plan, inputs: samples }) });
}

/** The tables that a query reads, and the names that it mentions; null for all. */
async function readBy(
  text: string,
  options: FrameRunOptions,
): Promise<{ readonly names: readonly string[]; readonly mentioned: ReadonlySet<string> | null }> {
  await using run = await openRun([], options);
  const names = await run.session.tables(text);
  return { names, mentioned: await run.session.mentions(text) };
}

/** Of Parquet only the columns that a query may read: those of files elsewhere are fetched. One stays, by which rows are counted. */
function mentionedFields(
  { format }: FileScan,
  fields: readonly ColumnField[],
  mentioned: ReadonlySet<string> | null,
): readonly ColumnField[] {
  if (format !== "parquet" || mentioned === null) return fields;
  const kept = fields.filter(({ name }) => mentioned.has(name.toLowerCase()));
  return kept.length > 0 ? kept : fields.slice(0, 1);
}

function undescribedScan(location: string): FileScan {
  const { format, delimiter } = knownFormat(location);
  if (format === "excel") throw new TypeError("the columns of a sheet are told otherwise");
  return {
    kind: "scan",
    format,
    locations: [location],
    fields: [],
    hive: [],
    fileColumn: null,
    bad: "fail",
    csv: delimiter === null ? null : { delimiter, quote: '"', escape: '"', header: true, nullText: "" },
  };
}

async function described(scan: FileScan, run: FrameRun): Promise<PlanNode> {
  return { ...scan, fields: await run.session.describe(await run.prepared(scan)) };
}
