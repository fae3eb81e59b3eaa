import { grouped } from "../../count-text.ts";
import { sizeText } from "../../sizes.ts";
import type { Instant, Store, WorkerRecord } from "../../store/contract.ts";
import { isDead, SILENT_AFTER_MS } from "../../tasks/internal.ts";
import { jsonText, onOneLine } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { shortSpan } from "../terminal/format.ts";
import { write } from "../terminal/output.ts";
import { ListTable } from "../terminal/table.ts";
import { workerJson } from "./json.ts";
import { workerName } from "./list.ts";

/** Workers that were heard of within this are shown. One that ends by itself is forgotten at once. */
const SHOWN_MS = 3_600_000;

/** `pawl workers`. */
export async function listWorkers(flags: JsonFlag, store: Store): Promise<void> {
  const workers = await store.workers(SHOWN_MS);
  const now = await store.now();
  if (flags.json) {
    await write(`${jsonText(workers.map((worker) => workerJson(worker, stateOf(worker, now))))}\n`);
    return;
  }
  if (workers.length === 0) {
    await write(`no workers in ${store.location}: start one with pawl worker MODULE\n`);
    return;
  }
  const table = new ListTable<WorkerRecord>([
    { head: "worker", of: ({ id }) => workerName(id) },
    { head: "state", of: (worker) => stateOf(worker, now) },
    { head: "busy", of: ({ running, slots }) => `${running.length} of ${slots}`, right: true },
    {
      head: "last minute",
      of: ({ rates }) => grouped(sum(Object.values(rates))),
      right: true,
    },
    { head: "memory", of: ({ memory }) => sizeText(memory), right: true },
    { head: "up", of: ({ startedAt, seenAt }) => shortSpan(seenAt - startedAt), right: true },
    { head: "heard of", of: ({ seenAt }) => `${shortSpan(now - seenAt)} ago`, right: true },
    { head: "queues", of: ({ queues }) => queues.map(onOneLine).join(", ") },
  ]);
  await table.print(workers);
}

function stateOf({ id, state, seenAt }: WorkerRecord, now: Instant): string {
  if (isDead(id)) return "dead";
  return now - seenAt > SILENT_AFTER_MS ? "silent" : state;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
