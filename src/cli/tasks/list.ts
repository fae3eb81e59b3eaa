import type { Store, TaskRecord } from "../../store/contract.ts";
import { parseWorkerId, progressOf } from "../../tasks/internal.ts";
import { parseCount } from "../options/parse.ts";
import { type FilterFlags, type JsonFlag, STATES } from "../options/shared.ts";
import { shortSpan } from "../terminal/format.ts";
import { tell, write } from "../terminal/output.ts";
import { ListTable } from "../terminal/table.ts";
import { jsonText, onOneLine } from "../terminal/visible.ts";
import { selectorOf } from "./filter.ts";
import { taskJson } from "./json.ts";

export interface ListFlags extends JsonFlag, FilterFlags {
  readonly limit: string;
  readonly after?: string;
  readonly oldestFirst?: boolean;
}

/** Tasks that are read from the store at once. */
const PAGE = 500;

/** `pawl tasks` and, with `state` given, `pawl dead`. */
export async function listTasks(flags: ListFlags, store: Store): Promise<void> {
  const limit = parseCount(flags.limit, "--limit", 1);
  const { limit: _, after: from, oldestFirst, json, ...filter } = flags;
  const now = await store.now();
  const chosen = selectorOf(filter, now);
  const selector = chosen ?? { states: STATES };
  const table = new ListTable<TaskRecord>([
    { head: "id", of: ({ id }) => onOneLine(id), whole: true },
    { head: "state", of: ({ state }) => state },
    { head: "name", of: ({ name }) => onOneLine(name) },
    { head: "queue", of: ({ queue }) => onOneLine(queue) },
    { head: "age", of: ({ createdAt }) => shortSpan(now - createdAt), right: true },
    { head: "tries", of: ({ fence }) => String(fence), right: true },
    { head: "details", of: (task) => details(task, now) },
  ]);
  let shown = 0;
  let after = from;
  for (;;) {
    const rows = await store.query(selector, {
      // One more than asked for tells whether there are more.
      limit: Math.min(PAGE, limit - shown + 1),
      newestFirst: !oldestFirst,
      ...(after === undefined ? {} : { after }),
    });
    const wanted = rows.slice(0, limit - shown);
    if (shown === 0 && wanted.length === 0) break;
    const read = json
      ? await write(wanted.map((task) => `${jsonText(taskJson(task))}\n`).join(""))
      : await table.print(wanted);
    shown += wanted.length;
    after = wanted.at(-1)?.id;
    if (!read || rows.length < Math.min(PAGE, limit - shown + wanted.length + 1)) return;
    if (shown === limit) {
      tell(`${shown} shown, and there are more: continue with --after ${after}`);
      return;
    }
  }
  if (!json) await write(`no ${chosen === undefined ? "" : "such "}tasks in ${store.location}\n`);
}

/** What there is to say of a task in a few words. */
function details(task: TaskRecord, now: number): string {
  const { state, due, error, worker, cancelRequested } = task;
  if (state === "waiting") {
    const when = due === null ? "held" : due > now ? `in ${shortSpan(due - now)}` : "";
    return [when, error === null ? "" : onOneLine(error)].filter((part) => part !== "").join(", after: ");
  }
  if (state === "leased") {
    const parts = [progressWords(task), `on ${workerName(worker)}`, cancelRequested ? "asked to stop" : ""];
    return parts.filter((part) => part !== "").join(", ");
  }
  return error === null ? "" : onOneLine(error);
}

/** `50 of 100 drawing`, or nothing. */
export function progressWords({ progress }: TaskRecord): string {
  const known = progressOf(progress);
  if (known === null) return progress === null ? "" : onOneLine(JSON.stringify(progress)).slice(0, 60);
  const { current, total, note } = known;
  return `${current}${total === null ? "" : ` of ${total}`}${note === null ? "" : ` ${onOneLine(note)}`}`;
}

/** `host:pid` of a worker. */
export function workerName(worker: string | null): string {
  if (worker === null) return "no worker";
  const known = parseWorkerId(worker);
  return onOneLine(known === undefined ? worker : `${known.host}:${known.pid}`);
}
