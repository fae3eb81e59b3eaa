import { PawlError } from "../../errors.ts";
import type { NewRun, RunPatch, RunRecord, RunState } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { isDuplicate } from "./failure.ts";
import { markReplayed } from "./quarantine.ts";
import { fromText, toText } from "./values.ts";

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

const FINAL: readonly RunState[] = ["succeeded", "failed", "cancelled"];

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

export function findRun(db: Connection, id: string): RunRecord | undefined {
  const row = db.get<RunRow>("SELECT * FROM run WHERE id = ?", id);
  return row && toRun(row);
}

/** Stores a run unless its work is unfinished elsewhere, in a transaction. */
export function createRun(db: Connection, run: NewRun): { run: RunRecord; created: boolean } {
  const unfinished = db.get<RunRow>(
    "SELECT * FROM run WHERE key = ? AND state NOT IN ('succeeded', 'failed', 'cancelled')",
    run.key,
  );
  if (unfinished !== undefined) return { run: toRun(unfinished), created: false };
  const now = db.clock.wall();
  const row = db.get<RunRow>(
    `INSERT INTO run (id, job_name, job_module, job_params, key, identity, replay_of, details, state, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (id) DO NOTHING RETURNING *`,
    run.id,
    run.job.name,
    run.job.module,
    toText(run.job.params),
    run.key,
    toText(run.identity),
    run.replayOf ?? null,
    toText(run.details ?? null),
    now,
    now,
  );
  if (row === undefined)
    throw new PawlError("store.run-exists", `There is a run ${run.id} already: choose another id.`);
  return { run: toRun(row), created: true };
}

export function listRuns(
  db: Connection,
  filter: { readonly idPrefix?: string; readonly key?: string; readonly limit?: number },
): RunRecord[] {
  const { idPrefix = null, key = null, limit = -1 } = filter;
  const rows = db.all<RunRow>(
    `SELECT * FROM run WHERE (?1 IS NULL OR substr(id, 1, length(?1)) = ?1) AND (?2 IS NULL OR key = ?2)
     ORDER BY seq DESC LIMIT ?3`,
    idPrefix,
    key,
    limit,
  );
  return rows.map(toRun);
}

/** Changes a run that is in one of the states `from`, in a transaction. */
export function updateRun(db: Connection, id: string, from: readonly RunState[], patch: RunPatch): boolean {
  const now = db.clock.wall();
  const set = ["updated_at = ?"];
  const values: (string | number | null)[] = [now];
  if (patch.state !== undefined) {
    set.push("state = ?", "finished_at = ?");
    values.push(patch.state, FINAL.includes(patch.state) ? now : null);
  }
  if (patch.note !== undefined) {
    set.push("note = ?");
    values.push(patch.note);
  }
  if (patch.details !== undefined) {
    set.push("details = ?");
    values.push(toText(patch.details));
  }
  if (patch.identity !== undefined) {
    set.push("identity = ?");
    values.push(toText(patch.identity));
  }
  const sql = `UPDATE run SET ${set.join(", ")} WHERE id = ? AND state IN (SELECT value FROM json_each(?))`;
  try {
    if (db.run(sql, ...values, id, JSON.stringify(from)) !== 1) return false;
    markReplayed(db, patch.replayed ?? [], id);
    return true;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    throw new PawlError(
      "store.run-elsewhere",
      `Run ${id} cannot go on, because another unfinished run does the same work: finish or cancel that one first.`,
      { cause: error },
    );
  }
}
