import { runOfQueue } from "../../batch/internal.ts";
import type { Store, TaskRecord } from "../../store/contract.ts";
import { parseWorkerId, progressOf } from "../../tasks/internal.ts";
import { jsonText, onOneLine } from "../../visible.ts";
import { parseCount } from "../options/parse.ts";
import { type FilterFlags, type JsonFlag, STATES } from "../options/shared.ts";
import { shortSpan } from "../terminal/format.ts";
import { tell, write } from "../terminal/output.ts";
import { ListTable } from "../terminal/table.ts";
import { selectorOf } from "./filter.ts";
import { taskJson } from "./json.ts";

export interface ListFlags extends JsonFlag, FilterFlags {
  readonly limit: string;
  readonly after?: string;
  readonly oldestFirst?: boolean;
}

/** Tasks that are read from the store at once, at most and at least. */
const PAGE = 500;
const LEAST_PAGE = 50;

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
  // The shards of a run are part of their run, as in the other commands.
  const isListed = ({ queue }: TaskRecord) =>
    filter.queue !== undefined || filter.flow !== undefined || runOfQueue(queue) === null;
  let shown = 0;
  let last = from;
  for (let after = from; ; ) {
    const size = Math.min(PAGE, Math.max(LEAST_PAGE, limit - shown + 1));
    const rows = await store.query(selector, {
      limit: size,
      newestFirst: !oldestFirst,
      ...(after === undefined ? {} : { after }),
    });
    const listed = rows.filter(isListed);
    const wanted = listed.slice(0, limit - shown);
    if (wanted.length > 0) {
      const read = json
        ? await write(wanted.map((task) => `${jsonText(taskJson(task))}\n`).join(""))
        : await table.print(wanted);
      if (!read) return;
    }
    shown += wanted.length;
    last = wanted.at(-1)?.id ?? last;
    if (listed.length > wanted.length) {
      tell(`${shown} shown, and there are more: continue with --after ${last}`);
      return;
    }
    if (rows.length < size) break;
    after = rows.at(-1)?.id;
  }
  if (shown === 0 && !json)
    await write(`no ${chosen === undefined ? "" : "such "}tasks in ${store.location}\n`);
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
