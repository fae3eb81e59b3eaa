import { PawlError } from "../../errors.ts";
import { knownFormat } from "../file-format.ts";
import { Frame } from "../frame/frame.ts";
import { type FrameRun, type FrameRunOptions, openRun } from "../frame/run.ts";
import type { FileScan, PlanNode, SqlPlanNode } from "../plan/node.ts";

/** A frame of files whose columns are found in the files themselves. */
export async function filesFrame(location: string, options: FrameRunOptions = {}): Promise<Frame> {
  const scan = undescribedScan(location);
  await using run = await openRun([scan], options);
  return new Frame(await described(scan, run));
}

/**
 * A frame of a query in SQL, whose tables are the names of files. Rejects with a PawlError `data.sql` where the text is not one SELECT,
 * and `data.format` where a name does not say what the file holds.
 */
export async function queryFrame(sql: string, options: FrameRunOptions = {}): Promise<Frame> {
  const text = sql.trim().replace(/;+$/, "");
  await using run = await openRun([], options);
  const inputs: SqlPlanNode["inputs"][number][] = [];
  for (const name of await run.session.tables(text))
    inputs.push({ name, plan: await described(undescribedScan(name), run) });
  const plan: SqlPlanNode = { kind: "sql", inputs, text, fields: [] };
  return new Frame({ ...plan, fields: await run.session.describe(await run.prepared(plan)) });
}

function undescribedScan(location: string): FileScan {
  const { format, delimiter } = knownFormat(location);
  if (format === "excel") throw new PawlError("data.format", "Excel files are not read here yet.");
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
