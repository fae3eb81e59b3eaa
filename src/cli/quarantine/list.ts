import { failureReasons, openItems } from "../../batch/index.ts";
import { writeField } from "../../connect/csv/internal.ts";
import { PawlError } from "../../errors.ts";
import type { QuarantineRecord, RunRecord, Store } from "../../store/contract.ts";
import { grouped } from "../terminal/numbers.ts";
import { write, writeData } from "../terminal/output.ts";
import { jsonText, visible } from "../terminal/visible.ts";
import { originOf } from "./origin.ts";

/** `pawl failures RUN`: the quarantined items that no replay has mended yet. */
export async function failures(
  run: RunRecord,
  flags: { json?: boolean; format?: string; by?: string },
  store: Store,
): Promise<void> {
  if (flags.by !== undefined) {
    if (flags.by !== "reason") throw new PawlError("usage.by", `--by takes reason, not "${flags.by}".`);
    await byReason(run, flags.json ?? false, store);
    return;
  }
  const format = flags.json ? "jsonl" : (flags.format ?? "table");
  const writers = new Map(Object.entries({ table, csv, jsonl }));
  const writer = writers.get(format);
  if (writer === undefined) {
    throw new PawlError("usage.format", `--format is table, csv or jsonl, not "${format}".`);
  }
  await writer(run, store);
}

async function byReason(run: RunRecord, json: boolean, store: Store): Promise<void> {
  const reasons = await failureReasons(store, run.id);
  if (json) {
    await write(`${JSON.stringify(reasons)}\n`);
    return;
  }
  if (reasons.length === 0) await write(`run ${run.id} has no quarantined items that wait to be corrected\n`);
  for (const { reason, count, at } of reasons) {
    const line = `${grouped(count).padStart(10)}  ${visible(reason)} (first: ${visible(at)})\n`;
    if (!(await write(line))) return;
  }
}

async function jsonl(run: RunRecord, store: Store): Promise<void> {
  for await (const item of openItems(store, run.id)) {
    const { number, at, reason, code } = item;
    const raw = Buffer.from(item.raw).toString("utf8");
    if (!(await write(`${jsonText({ number, at, reason, code, raw })}\n`))) return;
  }
}

const RAW_WIDTH = 60;

async function table(run: RunRecord, store: Store): Promise<void> {
  let count = 0;
  for await (const item of openItems(store, run.id)) {
    if (count++ === 0) await write("where                          reason\n");
    const text = `${visible(item.at).padEnd(30)} ${visible(item.reason)}\n${" ".repeat(31)}${shortened(item)}\n`;
    if (!(await write(text))) return;
  }
  if (count === 0) await write(`run ${run.id} has no quarantined items that wait to be mended\n`);
}

function shortened(item: QuarantineRecord): string {
  const text = Buffer.from(item.raw.subarray(0, RAW_WIDTH * 4)).toString("utf8");
  const line = visible(text);
  return line.length > RAW_WIDTH ? `${line.slice(0, RAW_WIDTH)}…` : line;
}

/**
 * The rows as they were, byte for byte, behind two columns that say which row it is and what was wrong. Made to be
 * mended, so of a replay it gives the rows of the run that was replayed.
 */
async function csv(named: RunRecord, store: Store): Promise<void> {
  const run = await originOf(named, store);
  const { dialect } = run.details as {
    dialect?: { delimiter: string; quote: string; escape?: string; columns: string[] } | null;
  };
  if (!dialect) {
    throw new PawlError(
      "failures.not-csv",
      `The items of run ${run.id} are not rows of a CSV: use --format jsonl.`,
    );
  }
  const { delimiter } = dialect;
  const field = (text: string) => writeField(text, dialect);
  await writeData(`${["pawl_row", "pawl_reason", ...dialect.columns].map(field).join(delimiter)}\n`);
  for await (const item of openItems(store, run.id)) {
    await writeData(`${item.number}${delimiter}${field(item.reason)}${delimiter}`);
    await writeData(item.raw);
    if (!(await writeData("\n"))) return;
  }
}
