import { failureReasons } from "../../batch/index.ts";
import { openItems } from "../../batch/internal.ts";
import { writeField } from "../../connect/csv/internal.ts";
import { PawlError } from "../../errors.ts";
import type { QuarantineRecord, RunRecord, Store } from "../../store/contract.ts";
import { withFlagsOf } from "../options/flag-names.ts";
import { grouped } from "../terminal/format.ts";
import { write, writeData } from "../terminal/output.ts";
import { jsonText, visible } from "../terminal/visible.ts";
import { NUMBER_COLUMN, REASON_COLUMN } from "./fixed-file.ts";
import { originOf } from "./origin.ts";

/** The flags of `pawl quarantine`, as the command line gives them. */
export interface QuarantineFlags {
  readonly by?: string;
  readonly json?: boolean;
}

/** The flags of `pawl quarantine export`. */
export interface ExportFlags {
  readonly format?: string;
}

/** `pawl quarantine RUN`: the items that failed, and that no replay has put right yet. */
export async function listQuarantine(run: RunRecord, flags: QuarantineFlags, store: Store): Promise<void> {
  if (flags.by === undefined) {
    await (flags.json ? jsonl : table)(run, store);
    return;
  }
  if (flags.by !== "reason") throw new PawlError("usage.by", `--by takes reason, not "${flags.by}".`);
  await byReason(run, flags.json ?? false, store);
}

/** `pawl quarantine export RUN`: the items as data; rows of a CSV as a CSV, which can be fixed and replayed. */
export async function exportQuarantine(named: RunRecord, flags: ExportFlags, store: Store): Promise<void> {
  // An export is made to be fixed and replayed, so of a replay it gives the rows of the run that was replayed.
  const run = await originOf(named, store);
  const { dialect } = run.details as { dialect?: Dialect | null };
  switch (flags.format ?? (dialect ? "csv" : "jsonl")) {
    case "jsonl":
      await jsonl(run, store);
      return;
    case "csv":
      if (dialect) {
        await csv(run, dialect, store);
        return;
      }
      throw new PawlError(
        "quarantine.not-csv",
        `The items of run ${run.id} are not rows of a CSV: use --format jsonl.`,
      );
    default:
      throw new PawlError("usage.format", `--format is csv or jsonl, not "${flags.format}".`);
  }
}

async function byReason(run: RunRecord, json: boolean, store: Store): Promise<void> {
  const reasons = await failureReasons(store, run.id);
  if (json) {
    await write(`${JSON.stringify(reasons)}\n`);
    return;
  }
  if (reasons.length === 0) await write(nothingIn(run));
  for (const { reason, count, at } of reasons) {
    const line = `${grouped(count).padStart(10)}  ${visible(withFlagsOf(run.job, reason))} (first: ${visible(at)})\n`;
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
    const text = `${visible(item.at).padEnd(30)} ${visible(withFlagsOf(run.job, item.reason))}\n${" ".repeat(31)}${shortened(item)}\n`;
    if (!(await write(text))) return;
  }
  if (count === 0) await write(nothingIn(run));
}

function nothingIn(run: RunRecord): string {
  return `run ${run.id} has no items in quarantine\n`;
}

function shortened(item: QuarantineRecord): string {
  const text = Buffer.from(item.raw.subarray(0, RAW_WIDTH * 4)).toString("utf8");
  const line = visible(text);
  return line.length > RAW_WIDTH ? `${line.slice(0, RAW_WIDTH)}…` : line;
}

interface Dialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape?: string;
  readonly columns: readonly string[];
}

/** The rows as they were, byte for byte, behind two columns that say which row it is and what was wrong. */
async function csv(run: RunRecord, dialect: Dialect, store: Store): Promise<void> {
  const { delimiter } = dialect;
  const field = (text: string) => writeField(text, dialect);
  await writeData(`${[NUMBER_COLUMN, REASON_COLUMN, ...dialect.columns].map(field).join(delimiter)}\n`);
  for await (const item of openItems(store, run.id)) {
    await writeData(`${item.number}${delimiter}${field(withFlagsOf(run.job, item.reason))}${delimiter}`);
    await writeData(item.raw);
    if (!(await writeData("\n"))) return;
  }
}
