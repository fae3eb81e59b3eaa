/** Frames for people: a table of rows, the steps of the engine, its query. */
import { assertOptions } from "../../arguments.ts";
import type { ExplainedNode } from "../engine/contract.ts";
import type { GraphFormat } from "../graph/description.ts";
import { drawGraph } from "../graph/draw.ts";
import type { PlanNode } from "../plan/node.ts";
import { explainGraph, explainText } from "./explain-text.ts";
import { collectRows } from "./results.ts";
import { type FrameRunOptions, openRun, RUN_OPTIONS } from "./run.ts";
import { tableText } from "./table-text.ts";

/** What an explanation tells. */
export interface ExplainOptions extends FrameRunOptions {
  /** Whether the frame is run, for the rows, bytes and seconds of each step. @default false */
  readonly run?: boolean;
}

/** Prints the first rows of a plan as a table. */
export async function showRows(plan: PlanNode, rows: number, options: FrameRunOptions): Promise<void> {
  const one: PlanNode = { kind: "limit", input: plan, count: rows + 1, offset: 0, fields: plan.fields };
  const found = await collectRows(one, options);
  const more = found.length > rows ? "some" : 0;
  const { stdout } = process;
  const width = stdout.isTTY ? stdout.columns : null;
  stdout.write(tableText(plan.fields, found.slice(0, rows), { width, more }));
}

/** The steps of a plan as lines. */
export async function explainPlan(plan: PlanNode, options: ExplainOptions): Promise<string> {
  const { stdout } = process;
  return explainText(await explained(plan, options), stdout.isTTY ? stdout.columns : 100);
}

/** The steps of a plan as a drawing. */
export async function graphPlan(
  plan: PlanNode,
  format: GraphFormat,
  options: ExplainOptions,
): Promise<string> {
  return drawGraph(explainGraph(await explained(plan, options)), format);
}

async function explained(plan: PlanNode, options: ExplainOptions): Promise<ExplainedNode> {
  assertOptions(options, { ...RUN_OPTIONS, run: true }, "explain");
  const { run: isRun = false, ...others } = options;
  await using run = await openRun([plan], others);
  return await run.session.explain(await run.prepared(plan), isRun, run.query);
}

/** The query of a plan. */
export async function planText(plan: PlanNode, options: FrameRunOptions): Promise<string> {
  await using run = await openRun([plan], options);
  return run.session.sql(plan);
}
