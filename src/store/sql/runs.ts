import { PawlError } from "../../errors.ts";
import type { Json, NewRun, RunPatch, RunRecord, RunState, Sample } from "../contract.ts";
import { fromText, JsonText } from "../json-text.ts";
import type { Value } from "./dialect.ts";
import { markReplayed } from "./quarantine.ts";
import {
  all,
  run as execute,
  get,
  join,
  later,
  NOW,
  oneOf,
  type Procedure,
  raw,
  type Sql,
  sql,
} from "./statement.ts";

interface RunRow {
  readonly id: string;
  readonly job_name: string;
  readonly job_module: string | null;
  readonly job_params: string;
  readonly key: string;
  readonly identity: string;
  readonly replay_of: string | null;
  readonly state: RunState;
  readonly note: string | null;
  readonly details: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly finished_at: number | null;
}

const RUN_ROW =
  raw(`id, job_name, job_module, job_params, key, identity, replay_of, state, note, details, created_at,
  updated_at, finished_at`);

const FINAL: readonly RunState[] = ["succeeded", "failed", "cancelled"];
const UNFINISHED = raw("state NOT IN ('succeeded', 'failed', 'cancelled')");

function toRun(row: RunRow): RunRecord {
  return {
    id: row.id,
    job: { name: row.job_name, module: row.job_module, params: fromText(row.job_params) },
    key: row.key,
    identity: fromText(row.identity),
    replayOf: row.replay_of,
    state: row.state,
    note: row.note,
    details: fromText(row.details),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
  };
}

function textOf(value: Json | undefined): string {
  return JsonText.of(value).text;
}

export function* findRun(id: string): Procedure<RunRecord | undefined> {
  const row = yield* get<RunRow>(sql`SELECT ${RUN_ROW} FROM pawl.run WHERE id = ${id}`);
  return row && toRun(row);
}

/**
 * Stores a run unless its work is unfinished elsewhere, in a transaction. Work that another process is doing is refused by
 * `resumeOrGiveUp` (batch/run/resume.ts).
 */
export function* createRun(run: NewRun): Procedure<{ run: RunRecord; created: boolean }> {
  const { id, job, key, identity, replayOf = null, details } = run;
  // A run of the same key that is created at this moment is waited for: afterwards one of both is there.
  const row = yield* get<RunRow>(
    sql`INSERT INTO pawl.run (id, job_name, job_module, job_params, key, identity, replay_of, details, state, created_at,
       updated_at)
     VALUES (${id}, ${job.name}, ${job.module}, ${textOf(job.params)}, ${key}, ${textOf(identity)}, ${replayOf},
       ${textOf(details)}, 'pending', ${NOW}, ${NOW})
     ON CONFLICT DO NOTHING RETURNING ${RUN_ROW}`,
  );
  if (row !== undefined) return { run: toRun(row), created: true };
  const unfinished = yield* get<RunRow>(
    sql`SELECT ${RUN_ROW} FROM pawl.run WHERE key = ${key} AND ${UNFINISHED}`,
  );
  if (unfinished !== undefined) return { run: toRun(unfinished), created: false };
  // The run that was in the way has finished meanwhile.
  if ((yield* findRun(id)) === undefined) return yield* createRun(run);
  throw new PawlError("store.run-exists", `There is a run ${id} already: choose another id.`);
}

export interface RunFilter {
  readonly idPrefix?: string;
  readonly key?: string;
  readonly limit?: number;
}

/** Newest first. */
export function* listRuns({ idPrefix, key, limit }: RunFilter): Procedure<RunRecord[]> {
  const terms: Sql[] = [raw("true")];
  // Written with functions that every database has.
  if (idPrefix !== undefined) {
    terms.push(sql`substr(id, 1, length(CAST(${idPrefix} AS text))) = CAST(${idPrefix} AS text)`);
  }
  if (key !== undefined) terms.push(sql`key = ${key}`);
  const rows = yield* all<RunRow>(
    sql`SELECT ${RUN_ROW} FROM pawl.run WHERE ${join(terms, " AND ")} ORDER BY seq DESC
     ${limit === undefined ? raw("") : sql`LIMIT ${limit}`}`,
  );
  return rows.map(toRun);
}

/** Changes a run that is in one of the states `from`, in a transaction. Throws what the driver throws for a duplicate. */
export function* updateRun(id: string, from: readonly RunState[], patch: RunPatch): Procedure<boolean> {
  const { state, note, details, identity, replayed = [] } = patch;
  const set: Sql[] = [sql`updated_at = ${NOW}`];
  const put = (column: string, value: Value) => set.push(sql`${raw(column)} = ${value}`);
  if (state !== undefined) {
    put("state", state);
    set.push(FINAL.includes(state) ? sql`finished_at = ${NOW}` : raw("finished_at = NULL"));
  }
  if (note !== undefined) put("note", note);
  if (details !== undefined) put("details", textOf(details));
  if (identity !== undefined) put("identity", textOf(identity));
  const changed = yield* execute(
    sql`UPDATE pawl.run SET ${join(set, ", ")} WHERE id = ${id} AND state ${oneOf(from)}`,
  );
  if (changed !== 1) return false;
  yield* markReplayed(replayed, id);
  return true;
}

/** The error for a run that cannot continue, because another run with its key is unfinished. */
export function runsElsewhere(id: string, cause: unknown): PawlError {
  return new PawlError(
    "store.run-elsewhere",
    `Run ${id} cannot continue, because another unfinished run does the same work: finish or cancel that one first.`,
    { cause },
  );
}

/** How many points of a run's history are kept, besides the latest. */
const KEPT = 400;

/**
 * Adds a point, in a transaction. Points are numbered from 0 and every `stride`-th is kept, as is the latest one. When
 * there are too many the stride doubles, so what is kept always covers the whole life of the run evenly.
 */
export function* addSample(id: string, value: Json, location: string): Procedure<void> {
  const row = yield* get<{ sample_count: number; sample_stride: number }>(
    sql`UPDATE pawl.run SET sample_count = sample_count + 1 WHERE id = ${id} RETURNING sample_count, sample_stride`,
  );
  if (row === undefined) throw new PawlError("store.no-such-run", `There is no run ${id} in ${location}.`);
  const number = row.sample_count - 1;
  const stride = row.sample_stride;
  // The point before this one was kept only for being the latest.
  if ((number - 1) % stride !== 0) {
    yield* later(sql`DELETE FROM pawl.sample WHERE run_id = ${id} AND number = ${number - 1}`);
  }
  yield* later(
    sql`INSERT INTO pawl.sample (run_id, number, at, value) VALUES (${id}, ${number}, ${NOW}, ${textOf(value)})`,
  );
  if (number < KEPT * stride) return;
  const doubled = stride * 2;
  yield* later(sql`UPDATE pawl.run SET sample_stride = ${doubled} WHERE id = ${id}`);
  yield* later(
    sql`DELETE FROM pawl.sample WHERE run_id = ${id} AND number % CAST(${doubled} AS bigint) <> 0 AND number < ${number}`,
  );
}

export function* listSamples(run: string): Procedure<Sample[]> {
  const rows = yield* all<{ at: number; value: string }>(
    sql`SELECT at, value FROM pawl.sample WHERE run_id = ${run} ORDER BY number`,
  );
  return rows.map(({ at, value }) => ({ at, value: fromText(value) }));
}
