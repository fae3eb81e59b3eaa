import { grouped } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import { sizeText } from "../../sizes.ts";
import type { Batch } from "../engine/contract.ts";
import { count } from "../expr/expression.ts";
import type { PlanNode } from "../plan/node.ts";
import { heldBytes } from "./held-bytes.ts";
import { rowsOf } from "./rows.ts";
import { type FrameRunOptions, openRun } from "./run.ts";

/** All rows of a plan, unless they are more than the share of memory that a result may take. */
export async function collectRows(
  plan: PlanNode,
  options: FrameRunOptions,
): Promise<Record<string, unknown>[]> {
  const [rows] = await collectAll([plan], options);
  return rows as Record<string, unknown>[];
}

/** The rows of several plans, in one run: what they have in common is worked out once. */
export async function collectAll(
  plans: readonly PlanNode[],
  options: FrameRunOptions,
  onResult: () => void = () => {},
): Promise<readonly Record<string, unknown>[][]> {
  await using run = await openRun(plans, options, { holdsResult: true });
  const results: Record<string, unknown>[][] = [];
  let held = 0;
  for (const plan of plans) {
    const { fields } = plan;
    const rows: Record<string, unknown>[] = [];
    let total = 0;
    for await (const batch of run.batches(plan)) {
      total += batch.rows;
      if (held > run.resultMemory) continue;
      held += heldBytes(batch, fields);
      // What is refused is counted to its end, so that the sentence can say how much it is.
      if (held > run.resultMemory) rows.length = 0;
      else for (const row of rowsOf(batch, fields)) rows.push(row);
    }
    if (held > run.resultMemory) throw tooLarge(total, run.resultMemory);
    if (rows.length !== total) throw new Error(`A result has ${rows.length} of ${total} rows`);
    results.push(rows);
    onResult();
  }
  await run.finished();
  return results;
}

function tooLarge(rows: number, memory: number): PawlError {
  return new PawlError(
    "data.too-large",
    `The result has ${grouped(rows)} rows, which are more than the ${sizeText(memory)} that collect() may hold: take some with head() or top(), go through rows(), write them to files, or give the run more memory.`,
  );
}

/** How many rows a plan has. */
export async function countRows(plan: PlanNode, options: FrameRunOptions): Promise<number> {
  const counted: PlanNode = {
    kind: "group",
    input: plan,
    keys: [],
    aggregates: [{ name: "count", expression: count().node }],
    fields: [{ name: "count", type: count().node.type }],
  };
  await using run = await openRun([counted], options);
  const found: number[] = [];
  for await (const batch of run.batches(counted))
    for (const row of rowsOf(batch, counted.fields)) found.push(Number(row.count));
  const [rows] = found;
  if (rows === undefined || found.length !== 1 || !Number.isSafeInteger(rows) || rows < 0)
    throw new Error(`The engine counted ${found.join(", ") || "nothing"}`);
  await run.finished();
  return rows;
}

/** The batches of a plan, all of them or an error. */
export async function* frameBatches(
  plan: PlanNode,
  options: FrameRunOptions,
): AsyncGenerator<Batch, void, undefined> {
  await using run = await openRun([plan], options);
  yield* run.batches(plan);
  await run.finished();
}

/** The rows of a plan, all of them or an error. */
export async function* frameRows(
  plan: PlanNode,
  options: FrameRunOptions,
): AsyncGenerator<Record<string, unknown>, void, undefined> {
  await using run = await openRun([plan], options);
  for await (const batch of run.batches(plan)) yield* rowsOf(batch, plan.fields);
  await run.finished();
}
