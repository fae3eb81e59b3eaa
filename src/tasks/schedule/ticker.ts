import { TransientError } from "../../errors.ts";
import type { Json, NewTask, ScheduleRecord, TaskStore } from "../../store/contract.ts";
import { metaOf, type TaskMeta } from "../flow/spec.ts";
import { rest } from "../pruner.ts";
import { firing, timesOf } from "./times.ts";

type Clocked = TaskStore & { now(): Promise<number> };

/** How often schedules are looked at: one that was edited elsewhere is noticed by then. */
const LOOK_MS = 2_000;
const SHORTEST_MS = 5;

/** Fires schedules as they come due, until the signal aborts. Any number of workers may do so at once. */
export async function tickSchedules(
  store: Clocked,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    let pause = LOOK_MS;
    try {
      pause = await tickDue(store, report);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
    await rest(pause, signal);
  }
}

/** Fires what is due, and returns how many milliseconds there is nothing to do. */
async function tickDue(store: Clocked, report: (error: unknown) => void): Promise<number> {
  const schedules = await store.schedules();
  const now = schedules.length === 0 ? 0 : await store.now();
  let pause = LOOK_MS;
  for (const schedule of schedules) {
    if (schedule.paused || schedule.next === null) continue;
    if (schedule.next <= now) {
      try {
        const next = await fire(store, schedule, now);
        if (next !== null) pause = Math.min(pause, Math.max(0, next - now));
      } catch (error) {
        // One that cannot be fired must not keep those after it from firing.
        if (error instanceof TransientError) throw error;
        report(error);
      }
    } else pause = Math.min(pause, schedule.next - now);
  }
  return Math.max(SHORTEST_MS, pause);
}

/** Fires a schedule that is due; returns when it fires next. */
async function fire(store: Clocked, schedule: ScheduleRecord, now: number): Promise<number | null> {
  const { times, next } = firing(timesOf(schedule.spec), schedule.next ?? now, now);
  const tasks = times.map((at) => taskAt(schedule, at));
  await store.tick(schedule.id, schedule.version, next, tasks);
  return next;
}

/** The task of one time: its id follows from schedule and time. */
function taskAt({ id, task }: ScheduleRecord, at: number): NewTask {
  const template = task as unknown as Omit<NewTask, "id">;
  const taskId = `${id}@${new Date(at).toISOString()}`;
  const { flow, ...meta } = metaOf(template.meta ?? null);
  const timed: TaskMeta = {
    ...meta,
    ...(flow === undefined ? {} : { flow: { ...flow, base: taskId } }),
    scheduledFor: at,
  };
  return {
    ...template,
    // What begins a flow stands before its end.
    id: flow === undefined ? taskId : `${taskId}:${flow.stage}`,
    ...(flow === undefined ? {} : { group: taskId }),
    meta: timed as unknown as Json,
  };
}
