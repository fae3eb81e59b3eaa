import { runOfQueue } from "../../batch/internal.ts";
import { grouped, plural } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { QueueRecord, Store } from "../../store/contract.ts";
import { queueRates } from "../../tasks/internal.ts";
import { jsonText, onOneLine } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { shortSpan } from "../terminal/format.ts";
import { write } from "../terminal/output.ts";
import { ListTable } from "../terminal/table.ts";
import { queueJson } from "./json.ts";

/** `pawl queues`: depth, rate and age of each. Those of runs are part of their run. */
export async function listQueues(flags: JsonFlag, store: Store): Promise<void> {
  const queues = await openQueues(store);
  const rates = await queueRates(store);
  const now = await store.now();
  if (flags.json) {
    const rows = queues.map((queue) => queueJson(queue, rates.get(queue.name) ?? 0, now));
    await write(`${jsonText(rows)}\n`);
    return;
  }
  if (queues.length === 0) {
    await write(`no queues yet in ${store.location}\n`);
    return;
  }
  const count = (of: (queue: QueueRecord) => number) => (queue: QueueRecord) => grouped(of(queue));
  const table = new ListTable<QueueRecord>([
    { head: "queue", of: ({ name }) => onOneLine(name), whole: true },
    { head: "waiting", of: count(({ counts }) => counts.waiting), right: true },
    { head: "leased", of: count(({ counts }) => counts.leased), right: true },
    { head: "dead", of: count(({ counts }) => counts.dead), right: true },
    { head: "succeeded", of: count(({ counts }) => counts.succeeded), right: true },
    { head: "last minute", of: count(({ name }) => rates.get(name) ?? 0), right: true },
    {
      head: "oldest",
      of: ({ oldestDue }) => (oldestDue === null ? "-" : shortSpan(now - oldestDue)),
      right: true,
    },
    { head: "", of: ({ paused }) => (paused ? "paused" : "") },
  ]);
  await table.print(queues);
}

/** The queues that are not those of runs. */
export async function openQueues(store: Store): Promise<QueueRecord[]> {
  return (await store.queues()).filter(({ name }) => runOfQueue(name) === null);
}

/** `pawl queues pause QUEUE` and `pawl queues resume QUEUE`. */
export async function pauseQueue(
  queue: string,
  paused: boolean,
  flags: JsonFlag,
  store: Store,
): Promise<void> {
  await assertQueue(queue, paused ? "pause" : "resume", store);
  await store.pauseQueue(queue, paused);
  const said = paused ? "is paused: running tasks continue, and no task starts" : "is resumed";
  await write(flags.json ? `${jsonText({ queue, paused })}\n` : `queue ${onOneLine(queue)} ${said}\n`);
}

/** `pawl queues purge QUEUE`. */
export async function purgeQueue(queue: string, flags: JsonFlag, store: Store): Promise<void> {
  await assertQueue(queue, "cancel", store);
  const cancelled = await store.requestCancel({ queue, states: ["waiting"] });
  await write(
    flags.json
      ? `${jsonText({ queue, cancelled })}\n`
      : `queue ${onOneLine(queue)}: ${plural(cancelled, "waiting task")} cancelled; running tasks continue\n`,
  );
}

/** Refuses a queue that neither a task nor a worker knows: a typo must not look like a queue that was paused. */
async function assertQueue(queue: string, verb: string, store: Store): Promise<void> {
  const run = runOfQueue(queue);
  if (run !== null) {
    throw new PawlError("usage.queue", `Queue ${queue} is part of a run: say pawl ${verb} ${run}.`);
  }
  const names = (await openQueues(store)).map(({ name }) => name);
  if (names.includes(queue)) return;
  // A worker may wait at a queue that has had no task yet.
  if ((await store.workers(60_000)).some(({ queues }) => queues.includes(queue))) return;
  const known = names.length === 0 ? "it has none yet" : `it has ${names.slice(0, 20).join(", ")}`;
  throw new PawlError("queue.unknown", `There is no queue "${queue}" in ${store.location}: ${known}.`);
}
