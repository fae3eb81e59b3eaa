import type {
  AttemptRecord,
  Instant,
  QueueRecord,
  ScheduleRecord,
  TaskRecord,
  WorkerRecord,
} from "../../store/contract.ts";

/** Records as `--json` prints them: as the store has them, with times in ISO 8601. */
export function taskJson(task: TaskRecord) {
  const { due, createdAt, startedAt, settledAt, expiresAt, fence, meta: _, ...rest } = task;
  return {
    ...rest,
    attempts: fence,
    due: iso(due),
    createdAt: iso(createdAt),
    startedAt: iso(startedAt),
    settledAt: iso(settledAt),
    expiresAt: iso(expiresAt),
  };
}

export function attemptJson({ fence, startedAt, endedAt, ...rest }: AttemptRecord) {
  return { attempt: fence, startedAt: iso(startedAt), endedAt: iso(endedAt), ...rest };
}

export function queueJson({ name, paused, counts, oldestDue }: QueueRecord, rate: number, now: Instant) {
  return {
    queue: name,
    paused,
    ...counts,
    endedLastMinute: rate,
    oldestDue: iso(oldestDue),
    oldestSeconds: oldestDue === null ? null : Math.max(0, now - oldestDue) / 1_000,
  };
}

export function workerJson({ startedAt, seenAt, ...rest }: WorkerRecord, state: string) {
  return { ...rest, state, startedAt: iso(startedAt), seenAt: iso(seenAt) };
}

export function scheduleJson({ next, lastFired, version: _, ...rest }: ScheduleRecord) {
  return { ...rest, next: iso(next), lastFired: iso(lastFired) };
}

function iso(instant: Instant | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}
