import { isDeepStrictEqual } from "node:util";
import type { Json, NewTask, ScheduleRecord } from "../contract.ts";
import { enqueue } from "./enqueue.ts";
import type { Moves } from "./moves.ts";
import type { Session } from "./session.ts";
import { fromText, toText } from "./values.ts";

interface ScheduleRow {
  readonly id: string;
  readonly spec: string;
  readonly task: string;
  readonly paused: boolean;
  readonly next: number | null;
  readonly last_fired: number | null;
  readonly version: number;
}

const SCHEDULE_ROW = "id, spec, task, paused, next, last_fired, version";

function toSchedule({ id, spec, task, paused, next, last_fired, version }: ScheduleRow): ScheduleRecord {
  return { id, spec: fromText(spec), task: fromText(task), paused, next, lastFired: last_fired, version };
}

/** A schedule, which nobody else changes until the transaction ends. */
async function lock(session: Session, id: string): Promise<ScheduleRow | undefined> {
  return await session.get<ScheduleRow>(
    `SELECT ${SCHEDULE_ROW} FROM pawl.schedule WHERE id = $1 FOR UPDATE`,
    [id],
  );
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

/**
 * A version of its own for each change, so that no number comes back when a schedule is removed and put again. Taken
 * before anything is looked at: it lets only one change of schedules at a time go on.
 */
async function nextVersion(session: Session): Promise<number> {
  const row = await session.get<{ value: number }>(
    "UPDATE pawl.counter SET value = value + 1 WHERE name = 'schedule_version' RETURNING value",
  );
  return row?.value ?? 0;
}

/** Stores or replaces a schedule, in a transaction. Putting the same again changes nothing. */
export async function putSchedule(session: Session, schedule: NewSchedule): Promise<ScheduleRecord> {
  const { id, spec, task, next } = schedule;
  const version = await nextVersion(session);
  const before = await lock(session, id);
  const kept = before !== undefined && isSame(before.spec, spec);
  if (before !== undefined && kept && isSame(before.task, task)) return toSchedule(before);
  const row = await session.get<ScheduleRow>(
    `INSERT INTO pawl.schedule (id, spec, task, next, version) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (id) DO UPDATE SET spec = $2, task = $3, next = $4, version = $5 RETURNING ${SCHEDULE_ROW}`,
    [id, toText(spec) ?? "null", toText(task) ?? "null", kept ? before.next : next, version],
  );
  return toSchedule(row as ScheduleRow);
}

/** Pauses or resumes a schedule, in a transaction; false when there is none. */
export async function pauseSchedule(
  session: Session,
  id: string,
  paused: boolean,
  next?: number | null,
): Promise<boolean> {
  const version = await nextVersion(session);
  const before = await lock(session, id);
  if (before === undefined) return false;
  const fires = next === undefined ? before.next : next;
  if (before.paused === paused && before.next === fires) return true;
  await session.run("UPDATE pawl.schedule SET paused = $2, next = $3, version = $4 WHERE id = $1", [
    id,
    paused,
    fires,
    version,
  ]);
  return true;
}

export async function removeSchedule(session: Session, id: string): Promise<boolean> {
  return (await session.run("DELETE FROM pawl.schedule WHERE id = $1", [id])) === 1;
}

export async function listSchedules(session: Session): Promise<ScheduleRecord[]> {
  const rows = await session.all<ScheduleRow>(`SELECT ${SCHEDULE_ROW} FROM pawl.schedule ORDER BY id`);
  return rows.map(toSchedule);
}

/** Whether a tick would fire: asked first, since of many workers all but one ask in vain. */
export async function isDue(session: Session, id: string, version: number): Promise<boolean> {
  const found = await session.get(
    "SELECT FROM pawl.schedule WHERE id = $1 AND version = $2 AND NOT paused AND next <= (SELECT pawl.now_ms())",
    [id, version],
  );
  return found !== undefined;
}

/** Fires a schedule, in a transaction; false when it is not the one that was read or not due. */
export async function tick(
  moves: Moves,
  id: string,
  version: number,
  next: number | null,
  tasks: readonly NewTask[],
  location: string,
): Promise<boolean> {
  const { session } = moves;
  const newVersion = await nextVersion(session);
  const fired = await session.run(
    `UPDATE pawl.schedule SET next = $3, last_fired = (SELECT pawl.now_ms()), version = $4
     WHERE id = $1 AND version = $2 AND NOT paused AND next <= (SELECT pawl.now_ms())`,
    [id, version, next, newVersion],
  );
  if (fired === 0) return false;
  await enqueue(
    moves,
    tasks.map((task) => ({ task, childOf: task.childOf })),
    [],
    location,
  );
  return true;
}
