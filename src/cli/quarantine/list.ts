import { failureReasons } from "../../batch/index.ts";
import { openItems } from "../../batch/internal.ts";
import { grouped } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { QuarantineRecord, RunRecord, Store } from "../../store/contract.ts";
import { jsonText, visible } from "../../visible.ts";
import { reasonWithFlags } from "../options/flag-names.ts";
import { write } from "../terminal/output.ts";
import { originOf } from "./origin.ts";

/** The flags of `pawl quarantine`, as the command line gives them. */
export interface QuarantineFlags {
  readonly by?: string;
  readonly json?: boolean;
}

/** `pawl quarantine RUN`: the items that failed, and that no replay has written yet. */
export async function listQuarantine(run: RunRecord, flags: QuarantineFlags, store: Store): Promise<void> {
  if (flags.by === undefined) {
    await (flags.json ? printItems : table)(run, store);
    return;
  }
  if (flags.by !== "reason") throw new PawlError("usage.by", `--by takes reason, not "${flags.by}".`);
  await byReason(run, flags.json ?? false, store);
}

async function byReason(run: RunRecord, json: boolean, store: Store): Promise<void> {
  const reasons = await failureReasons(store, run.id);
  if (json) {
    await write(`${JSON.stringify(reasons)}\n`);
    return;
  }
  if (reasons.length === 0) await write(nothingIn(run));
  const { job } = await originOf(run, store);
  for (const each of reasons) {
    const { count, at } = each;
    const line = `${grouped(count).padStart(10)}  ${visible(reasonWithFlags(job, each))} (first: ${visible(at)})\n`;
    if (!(await write(line))) return;
  }
}

/** Prints a JSON object for each quarantined item. */
export async function printItems(run: RunRecord, store: Store): Promise<void> {
  for await (const item of openItems(store, run.id)) {
    const { number, at, reason, code } = item;
    const raw = Buffer.from(item.raw).toString("utf8");
    if (!(await write(`${jsonText({ number, at, reason, code, raw })}\n`))) return;
  }
}

const RAW_WIDTH = 60;

async function table(run: RunRecord, store: Store): Promise<void> {
  const { job } = await originOf(run, store);
  let count = 0;
  for await (const item of openItems(store, run.id)) {
    if (count++ === 0) await write("where                          reason\n");
    const text = `${visible(item.at).padEnd(30)} ${visible(reasonWithFlags(job, item))}\n${" ".repeat(31)}${shortened(item)}\n`;
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
