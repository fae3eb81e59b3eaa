import { isDeepStrictEqual } from "node:util";
import type { Instant, Json, NewTask, ScheduleRecord } from "../contract.ts";
import { fromText, JsonText } from "../json-text.ts";
import type { Driver } from "./driver.ts";
import { enqueue } from "./enqueue.ts";
import type { StateTransitions } from "./state-transitions.ts";
import { all, forUpdate, get, NOW, type Procedure, raw, run, sql } from "./statement.ts";

interface ScheduleRow {
  readonly id: string;
  readonly spec: string;
  readonly task: string;
  readonly paused: boolean | number;
  readonly next: number | null;
  readonly last_fired: number | null;
  readonly version: number;
}

const SCHEDULE_ROW = raw("id, spec, task, paused, next, last_fired, version");

function toSchedule({ id, spec, task, paused, next, last_fired, version }: ScheduleRow): ScheduleRecord {
  return {
    id,
    spec: fromText(spec),
    task: fromText(task),
    paused: Boolean(paused),
    next,
    lastFired: last_fired,
    version,
  };
}

/** A schedule, which nothing else changes until the transaction ends. */
function* find(id: string): Procedure<ScheduleRow | undefined> {
  return yield* get<ScheduleRow>(
    sql`SELECT ${SCHEDULE_ROW} FROM pawl.schedule WHERE id = ${id} ${forUpdate()}`,
  );
}

export interface NewSchedule {
  readonly id: string;
  readonly spec: Json;
  readonly task: Json;
  readonly next: Instant | null;
}

/** The order of the keys of an object makes no difference. */
function isSame(text: string, value: Json): boolean {
  return isDeepStrictEqual(fromText(text), JsonText.of(value).value());
}

/**
 * A version of its own for each change, so that no number comes back when a schedule is removed and put again. Taken
 * before anything is read: the lock on it lets only one change of schedules happen at a time.
 */
function* nextVersion(): Procedure<number> {
  const row = yield* get<{ value: number }>(
    sql`UPDATE pawl.counter SET value = value + 1 WHERE name = 'schedule_version' RETURNING value`,
  );
  return row?.value ?? 0;
}

/** Stores or replaces a schedule, in a transaction. Putting the same again changes nothing. */
export function* putSchedule({ id, spec, task, next }: NewSchedule): Procedure<ScheduleRecord> {
  const version = yield* nextVersion();
  const before = yield* find(id);
  const kept = before !== undefined && isSame(before.spec, spec);
  if (before !== undefined && kept && isSame(before.task, task)) return toSchedule(before);
  const row = yield* get<ScheduleRow>(
    sql`INSERT INTO pawl.schedule (id, spec, task, next, version)
     VALUES (${id}, ${JsonText.of(spec).text}, ${JsonText.of(task).text}, ${kept ? before.next : next}, ${version})
     ON CONFLICT (id) DO UPDATE SET spec = excluded.spec, task = excluded.task, next = excluded.next,
       version = excluded.version
     RETURNING ${SCHEDULE_ROW}`,
  );
  return toSchedule(row as ScheduleRow);
}

/** Pauses or resumes a schedule, in a transaction; false when there is none. */
export function* pauseSchedule(id: string, paused: boolean, next?: Instant | null): Procedure<boolean> {
  const version = yield* nextVersion();
  const before = yield* find(id);
  if (before === undefined) return false;
  const fires = next === undefined ? before.next : next;
  if (Boolean(before.paused) === paused && before.next === fires) return true;
  yield* run(
    sql`UPDATE pawl.schedule SET paused = ${paused}, next = ${fires}, version = ${version} WHERE id = ${id}`,
  );
  return true;
}

export function* removeSchedule(id: string): Procedure<boolean> {
  return (yield* run(sql`DELETE FROM pawl.schedule WHERE id = ${id}`)) === 1;
}

export function* listSchedules(): Procedure<ScheduleRecord[]> {
  const rows = yield* all<ScheduleRow>(sql`SELECT ${SCHEDULE_ROW} FROM pawl.schedule ORDER BY id`);
  return rows.map(toSchedule);
}

function isDueNow(id: string, version: number) {
  return sql`id = ${id} AND version = ${version} AND NOT paused AND next <= ${NOW}`;
}

/** Whether the schedule would fire. Asked first, because of many workers all but one try in vain. */
export function* isDue(id: string, version: number): Procedure<boolean> {
  const found = yield* get(sql`SELECT 1 FROM pawl.schedule WHERE ${isDueNow(id, version)}`);
  return found !== undefined;
}

/** Fires a schedule, in a transaction; false when it is not the one that was read or not due. */
export function* fireSchedule<T extends StateTransitions>(
  transitions: T,
  driver: Driver<T>,
  { id, version, next, tasks }: FiredSchedule,
): Procedure<boolean> {
  const newVersion = yield* nextVersion();
  const fired = yield* run(
    sql`UPDATE pawl.schedule SET next = ${next}, last_fired = ${NOW}, version = ${newVersion}
     WHERE ${isDueNow(id, version)}`,
  );
  if (fired === 0) return false;
  yield* enqueue(transitions, driver, tasks, []);
  return true;
}

/** A schedule as it was read, when it fires next, and what it enqueues now. */
export interface FiredSchedule {
  readonly id: string;
  readonly version: number;
  readonly next: Instant | null;
  readonly tasks: readonly NewTask[];
}
