import { plural } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { ScheduleRecord, Store } from "../../store/contract.ts";
import { pauseSchedule, removeSchedule, resumeSchedule } from "../../tasks/index.ts";
import { linksAfter, type TimesSpec, timesOf } from "../../tasks/internal.ts";
import { jsonText, onOneLine } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { longSpan, utcAndSpan } from "../terminal/format.ts";
import { write } from "../terminal/output.ts";
import { ListTable } from "../terminal/table.ts";
import { scheduleJson } from "./json.ts";

/** `pawl schedules`. */
export async function listSchedules(flags: JsonFlag, store: Store): Promise<void> {
  const schedules = await store.schedules();
  if (flags.json) {
    await write(`${jsonText(schedules.map(scheduleJson))}\n`);
    return;
  }
  if (schedules.length === 0) {
    await write(`no schedules yet in ${store.location}\n`);
    return;
  }
  const now = await store.now();
  const table = new ListTable<ScheduleRecord>([
    { head: "schedule", of: ({ id }) => onOneLine(id), whole: true },
    { head: "when", of: ({ spec }) => timesWords(timesOf(spec)) },
    {
      head: "next",
      whole: true,
      of: ({ paused, next }) => (paused ? "paused" : next === null ? "never" : utcAndSpan(next, now)),
    },
    {
      head: "last",
      whole: true,
      of: ({ lastFired }) => (lastFired === null ? "-" : utcAndSpan(lastFired, now)),
    },
    { head: "task", of: taskWords },
  ]);
  await table.print(schedules);
}

function timesWords(spec: TimesSpec): string {
  if ("everyMs" in spec)
    return `every ${spec.everyMs < 1_000 ? `${spec.everyMs} ms` : longSpan(spec.everyMs)}`;
  return onOneLine(`${spec.cron} ${spec.timezone}`);
}

function taskWords({ task }: ScheduleRecord): string {
  const { name, meta } = task as { name?: string; meta?: ScheduleRecord["task"] };
  const after = linksAfter(meta ?? null);
  return `${onOneLine(name ?? "")}${after === 0 ? "" : ` and ${plural(after, "link")} after it`}`;
}

const VERBS = {
  pause: { act: pauseSchedule, said: "is paused", done: "paused" },
  resume: { act: resumeSchedule, said: "is resumed", done: "resumed" },
  remove: { act: removeSchedule, said: "is removed; what it fired stays", done: "removed" },
} as const;

export type ScheduleVerb = keyof typeof VERBS;

/** `pawl schedules pause NAME`, `resume NAME`, `remove NAME`. */
export async function controlSchedule(
  verb: ScheduleVerb,
  name: string,
  flags: JsonFlag,
  store: Store,
): Promise<void> {
  const { act, said, done } = VERBS[verb];
  if (!(await act(name, { store }))) {
    throw new PawlError(
      "schedule.unknown",
      `There is no schedule "${name}" in ${store.location}; pawl schedules lists what there is.`,
    );
  }
  await write(
    flags.json ? `${jsonText({ schedule: name, [done]: true })}\n` : `schedule ${onOneLine(name)} ${said}\n`,
  );
}
