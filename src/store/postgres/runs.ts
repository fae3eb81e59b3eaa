import { PawlError } from "../../errors.ts";
import type { NewRun, RunPatch, RunRecord, RunState } from "../contract.ts";
import { brokenConstraint } from "./failure.ts";
import type { Session, Value } from "./session.ts";
import { fromText, scalars, texts, toText } from "./values.ts";

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

const RUN_ROW = `id, job_name, job_module, job_params, key, identity, replay_of, state, note, details, created_at,
  updated_at, finished_at`;

const FINAL: readonly RunState[] = ["succeeded", "failed", "cancelled"];
const UNFINISHED = "state NOT IN ('succeeded', 'failed', 'cancelled')";

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

export async function findRun(session: Session, id: string): Promise<RunRecord | undefined> {
  const row = await session.get<RunRow>(`SELECT ${RUN_ROW} FROM pawl.run WHERE id = $1`, [id]);
  return row && toRun(row);
}

/** Stores a run unless its work is unfinished elsewhere, in a transaction. */
export async function createRun(
  session: Session,
  run: NewRun,
): Promise<{ run: RunRecord; created: boolean }> {
  // Whoever creates a run of the same key at this moment is waited for: afterwards one of both is there.
  const row = await session.get<RunRow>(
    `INSERT INTO pawl.run (id, job_name, job_module, job_params, key, identity, replay_of, details, state, created_at,
       updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', (SELECT pawl.now_ms()), (SELECT pawl.now_ms()))
     ON CONFLICT DO NOTHING RETURNING ${RUN_ROW}`,
    [
      run.id,
      run.job.name,
      run.job.module,
      toText(run.job.params) ?? "null",
      run.key,
      toText(run.identity) ?? "null",
      run.replayOf ?? null,
      toText(run.details) ?? "null",
    ],
  );
  if (row !== undefined) return { run: toRun(row), created: true };
  const unfinished = await session.get<RunRow>(
    `SELECT ${RUN_ROW} FROM pawl.run WHERE key = $1 AND ${UNFINISHED}`,
    [run.key],
  );
  if (unfinished !== undefined) return { run: toRun(unfinished), created: false };
  const taken = await session.get("SELECT FROM pawl.run WHERE id = $1", [run.id]);
  // What stood in the way has finished in this very moment.
  if (taken === undefined) return await createRun(session, run);
  throw new PawlError("store.run-exists", `There is a run ${run.id} already: choose another id.`);
}

export async function listRuns(
  session: Session,
  filter: { readonly idPrefix?: string; readonly key?: string; readonly limit?: number },
): Promise<RunRecord[]> {
  const { idPrefix = null, key = null, limit = null } = filter;
  const rows = await session.all<RunRow>(
    `SELECT ${RUN_ROW} FROM pawl.run
     WHERE ($1::text IS NULL OR starts_with(id, $1)) AND ($2::text IS NULL OR key = $2)
     ORDER BY seq DESC LIMIT $3`,
    [idPrefix, key, limit],
  );
  return rows.map(toRun);
}

/** Changes a run that is in one of the states `from`, in a transaction. */
export async function updateRun(
  session: Session,
  id: string,
  from: readonly RunState[],
  patch: RunPatch,
): Promise<boolean> {
  const values: Value[] = [id, texts(from)];
  const set = ["updated_at = (SELECT pawl.now_ms())"];
  const put = (column: string, value: Value) => set.push(`${column} = $${values.push(value)}`);
  if (patch.state !== undefined) {
    put("state", patch.state);
    set.push(`finished_at = ${FINAL.includes(patch.state) ? "(SELECT pawl.now_ms())" : "NULL"}`);
  }
  if (patch.note !== undefined) put("note", patch.note);
  if (patch.details !== undefined) put("details", toText(patch.details) ?? "null");
  if (patch.identity !== undefined) put("identity", toText(patch.identity) ?? "null");
  const sql = `UPDATE pawl.run SET ${set.join(", ")} WHERE id = $1 AND state = ANY($2::text[])`;
  try {
    if ((await session.run(sql, values)) !== 1) return false;
  } catch (error) {
    if (brokenConstraint(error) !== "run_unfinished") throw error;
    throw new PawlError(
      "store.run-elsewhere",
      `Run ${id} cannot go on, because another unfinished run does the same work: finish or cancel that one first.`,
      { cause: error },
    );
  }
  const { replayed: mended = [] } = patch;
  if (mended.length > 0) {
    // The replay that came first keeps the credit.
    session.later(
      "UPDATE pawl.quarantine SET replayed_by = $2 WHERE number = ANY($1::bigint[]) AND replayed_by IS NULL",
      [scalars(mended), id],
    );
  }
  return true;
}
