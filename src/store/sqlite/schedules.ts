import { isDeepStrictEqual } from "node:util";
import type { Json, NewTask, ScheduleRecord } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { enqueue } from "./enqueue.ts";
import type { Moves } from "./moves.ts";
import { fromText, toText } from "./values.ts";

interface ScheduleRow {
  readonly id: string;
  readonly spec: string;
  readonly task: string;
  readonly paused: number;
  readonly next: number | null;
  readonly last_fired: number | null;
  readonly version: number;
}

function toSchedule({ id, spec, task, paused, next, last_fired, version }: ScheduleRow): ScheduleRecord {
  return {
    id,
    spec: fromText(spec),
    task: fromText(task),
    paused: paused === 1,
    next,
    lastFired: last_fired,
    version,
  };
}

function find(db: Connection, id: string): ScheduleRow | undefined {
  return db.get<ScheduleRow>("SELECT * FROM schedule WHERE id = ?", id);
}

export interface NewSchedule {
  readonly id: string;
  readonly spec: Json;
  readonly task: Json;
  readonly next: number | null;
}

/** The order of the keys of an object makes no difference. */
function isSame(text: string, value: Json): boolean {
  return isDeepStrictEqual(fromText(text), fromText(toText(value)));
}

/** A version of its own for each change, so that no number comes back when a schedule is removed and put again. */
function nextVersion(db: Connection): number {
  const row = db.get<{ value: number }>(
    "UPDATE counter SET value = value + 1 WHERE name = 'schedule_version' RETURNING value",
  );
  return row?.value ?? 0;
}

/** Stores or replaces a schedule, in a transaction. Putting the same again changes nothing. */
export function putSchedule(db: Connection, schedule: NewSchedule): ScheduleRecord {
  const { id, spec, task, next } = schedule;
  const before = find(db, id);
  if (before === undefined || !isSame(before.spec, spec) || !isSame(before.task, task)) {
    const kept = before !== undefined && isSame(before.spec, spec);
    db.run(
      `INSERT INTO schedule (id, spec, task, next, version) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id)
       DO UPDATE SET spec = ?2, task = ?3, next = ?4, version = ?5`,
      id,
      toText(spec),
      toText(task),
      kept ? before.next : next,
      nextVersion(db),
    );
  }
  return toSchedule(find(db, id) as ScheduleRow);
}

/** Pauses or resumes a schedule, in a transaction; false when there is none. */
export function pauseSchedule(db: Connection, id: string, paused: boolean, next?: number | null): boolean {
  const before = find(db, id);
  if (before === undefined) return false;
  const fires = next === undefined ? before.next : next;
  if (before.paused === Number(paused) && before.next === fires) return true;
  db.run(
    "UPDATE schedule SET paused = ?, next = ?, version = ? WHERE id = ?",
    Number(paused),
    fires,
    nextVersion(db),
    id,
  );
  return true;
}

export function removeSchedule(db: Connection, id: string): boolean {
  return db.run("DELETE FROM schedule WHERE id = ?", id) === 1;
}

export function listSchedules(db: Connection): ScheduleRecord[] {
  return db.all<ScheduleRow>("SELECT * FROM schedule ORDER BY id").map(toSchedule);
}

/** Fires a schedule, in a transaction; false when it is not the one that was read or not due. */
export function tick(
  db: Connection,
  id: string,
  version: number,
  next: number | null,
  tasks: readonly NewTask[],
  moves: Moves,
): boolean {
  const now = db.clock.wall();
  const isDue = "SELECT 1 FROM schedule WHERE id = ? AND version = ? AND paused = 0 AND next <= ?";
  if (!db.has(isDue, id, version, now)) return false;
  db.run(
    "UPDATE schedule SET next = ?, last_fired = ?, version = ? WHERE id = ?",
    next,
    now,
    nextVersion(db),
    id,
  );
  enqueue(db, tasks, [], moves);
  return true;
}
