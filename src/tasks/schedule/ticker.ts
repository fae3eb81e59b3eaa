import { TransientError } from "../../errors.ts";
import type { Json, NewTask, ScheduleRecord, TaskStore } from "../../store/contract.ts";
import { idle } from "../../timers.ts";
import { metaOf, type TaskMeta } from "../task-meta.ts";
import { firing, nextTime, timesOf } from "./times.ts";

type Clocked = TaskStore & { now(): Promise<number> };

/** How often schedules are read: one that another process edited is noticed by then. */
const POLL_MS = 2_000;
const SHORTEST_MS = 5;

/** Fires schedules as they come due, until the signal aborts. Any number of workers may do so at once. */
export async function tickSchedules(
  store: Clocked,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  const stale = new StaleTimes();
  while (!signal.aborted) {
    let pause = POLL_MS;
    try {
      pause = await tickDue(store, stale, report);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
    await idle(pause, signal);
  }
}

/** Fires what is due, and returns how many milliseconds there is nothing to do. */
async function tickDue(store: Clocked, stale: StaleTimes, report: (error: unknown) => void): Promise<number> {
  const schedules = await store.schedules();
  const now = schedules.length === 0 ? 0 : await store.now();
  let pause = POLL_MS;
  for (const schedule of schedules) {
    if (schedule.paused || schedule.next === null) continue;
    try {
      let next: number | null = schedule.next;
      if (next <= now) next = await fire(store, schedule, now);
      else {
        const right = stale.corrected(schedule, now);
        if (right !== null) await store.pauseSchedule(schedule.id, false, right);
        next = right ?? next;
      }
      if (next !== null) pause = Math.min(pause, Math.max(0, next - now));
    } catch (error) {
      // A schedule that cannot be fired must not keep those after it from firing.
      if (error instanceof TransientError) throw error;
      report(error);
    }
  }
  return Math.max(SHORTEST_MS, pause);
}

/** A clock that is synchronized is corrected by less. */
const STEP_MS = 60_000;

/**
 * Finds schedules whose next time was computed before the clock was set back: they would not fire until the clock is
 * there again.
 */
class StaleTimes {
  /** Versions that are right, by id. */
  readonly #right = new Map<string, number>();
  #latest = 0;

  /**
   * When such a schedule fires next; null for all others. A time at which it has fired already has its task, which is not
   * stored twice.
   */
  corrected({ id, version, spec, next, lastFired }: ScheduleRecord, now: number): number | null {
    if (now < this.#latest - STEP_MS) this.#right.clear();
    this.#latest = now;
    if (next === null || next - now <= STEP_MS || this.#right.get(id) === version) return null;
    const right = nextTime(timesOf(spec), now);
    // A time that was just fired may be a moment ahead.
    const hasFired = lastFired !== null && lastFired <= now + STEP_MS && (right ?? 0) <= lastFired + STEP_MS;
    if (right !== null && next - right > STEP_MS && !hasFired) return right;
    this.#right.set(id, version);
    return null;
  }
}

/** Fires a schedule that is due; returns when it fires next. */
async function fire(store: Clocked, schedule: ScheduleRecord, now: number): Promise<number | null> {
  const { times, next } = firing(timesOf(schedule.spec), schedule.next ?? now, now);
  const tasks = times.map((at) => taskAt(schedule, at));
  await store.fireSchedule(schedule.id, schedule.version, next, tasks);
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
    // The task that begins a flow is stage 1, before the end of the flow.
    id: flow === undefined ? taskId : `${taskId}:${flow.stage}`,
    ...(flow === undefined ? {} : { flow: taskId }),
    meta: timed as unknown as Json,
  };
}
