import type { Claim, ClaimRequest, Lease, ProgressReport } from "../contract.ts";
import { duration } from "../storable.ts";
import { charge } from "./buckets.ts";
import type { Connection } from "./connection.ts";
import { firstInLine, NOT_EXPIRED, type Place } from "./line.ts";
import type { Moves } from "./moves.ts";
import { among } from "./seqs.ts";
import { TASK_COLUMNS, type TaskRow, toTask } from "./task-row.ts";
import { toText } from "./values.ts";

/** Leases tasks to a worker, in a transaction. */
export function claim(db: Connection, request: ClaimRequest, moves: Moves): Claim[] {
  const { queues, buckets = [], n } = request;
  // Almost never does a task expire, so it is not looked for until one was met.
  const chosen = firstInLine(db, { queues, buckets, n, alive: false });
  const claims = lease(db, request, chosen, moves);
  if (claims.length === chosen.length) return claims;
  const others = firstInLine(db, { queues, buckets, n: n - claims.length, alive: true });
  return [...claims, ...lease(db, request, others, moves)];
}

/** Leases the chosen tasks, but for those that have expired. */
function lease(db: Connection, request: ClaimRequest, chosen: readonly Place[], moves: Moves): Claim[] {
  const { worker } = request;
  const length = duration(request.leaseMs);
  const now = db.clock.wall();
  const seqs = chosen.map(({ seq }) => seq);
  const these = among(seqs);
  // Read and then written, in the order of the line: a RETURNING costs more than both, and loses that order.
  const rows = db.tuples<TaskRow>(
    `SELECT ${TASK_COLUMNS} FROM (SELECT value AS place FROM json_each(?)) CROSS JOIN task ON seq = place WHERE ${NOT_EXPIRED}`,
    JSON.stringify(seqs),
    now,
  );
  db.run(
    `UPDATE task SET state = 'leased', due = NULL, fence = fence + 1, worker = ?, started_at = ?,
       lease_boot = ?, lease_until = ?, lease_ms = ?
     WHERE ${these.sql} AND ${NOT_EXPIRED}`,
    worker,
    now,
    db.clock.boot,
    Math.floor(db.clock.monotonic()) + length,
    length,
    ...these.values,
    now,
  );
  chargeBuckets(db, chosen, rows);
  return rows.map((row) => {
    const task = toTask(row);
    const { id, queue, childOf } = task;
    moves.add({ seq: row[0], queue, group_id: childOf?.group ?? null }, "waiting", "leased");
    const fence = task.fence + 1;
    return {
      id,
      fence,
      task: Object.assign(task, { state: "leased", due: null, fence, worker, startedAt: now } as const),
    };
  });
}

/** Notes in each bucket how many of the chosen tasks were claimed. */
function chargeBuckets(db: Connection, chosen: readonly Place[], rows: readonly TaskRow[]): void {
  const rates = new Map(chosen.flatMap(({ seq, rate }) => (rate === null ? [] : [[seq, rate] as const])));
  if (rates.size === 0) return;
  const claimed = Map.groupBy(rows, ([seq]) => rates.get(seq));
  for (const [rate, tasks] of claimed) if (rate !== undefined) charge(db, rate, tasks.length);
}

/** The part of a WHERE that lets only the holder of a claim write. */
export const HELD = "id = ? AND fence = ? AND state = 'leased'";

/** Extends leases, in a transaction. A lease that has run out is extended too, as long as nobody took it back. */
export function renew(
  db: Connection,
  leases: readonly Lease[],
  leaseMs: number,
): { lost: string[]; cancelRequested: string[] } {
  const length = duration(leaseMs);
  const until = Math.floor(db.clock.monotonic()) + length;
  const lost: string[] = [];
  const cancelRequested: string[] = [];
  for (const { id, fence } of leases) {
    const row = db.get<{ cancel_requested: number }>(
      `UPDATE task SET lease_boot = ?, lease_until = ?, lease_ms = ? WHERE ${HELD} RETURNING cancel_requested`,
      db.clock.boot,
      until,
      length,
      id,
      fence,
    );
    if (row === undefined) lost.push(id);
    else if (row.cancel_requested === 1) cancelRequested.push(id);
  }
  return { lost, cancelRequested };
}

/** Stores progress and forgives crashes, in a transaction. */
export function progress(db: Connection, reports: readonly ProgressReport[]): { lost: string[] } {
  const lost = reports.filter(
    ({ id, fence, value }) =>
      db.run(`UPDATE task SET progress = ?, crashes = 0 WHERE ${HELD}`, toText(value), id, fence) === 0,
  );
  return { lost: lost.map(({ id }) => id) };
}
