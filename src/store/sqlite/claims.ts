import type { Claim, ClaimRequest, Lease, ProgressReport } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { firstInLine } from "./line.ts";
import { type TaskRow, toTask } from "./task-row.ts";
import { duration, toText } from "./values.ts";

/** Leases tasks to a worker, in a transaction. */
export function claim(db: Connection, request: ClaimRequest): Claim[] {
  const lease = duration(request.leaseMs);
  const chosen = firstInLine(db, request.queues, request.n, db.clock.wall());
  const rows = db.all<TaskRow>(
    `UPDATE task SET state = 'leased', due = NULL, fence = fence + 1, worker = ?,
       lease_boot = ?, lease_until = ?, lease_ms = ?
     WHERE seq IN (SELECT value FROM json_each(?)) RETURNING *`,
    request.worker,
    db.clock.boot,
    Math.floor(db.clock.monotonic()) + lease,
    lease,
    JSON.stringify(chosen),
  );
  // The rows come back in any order.
  const place = new Map(chosen.map((seq, index) => [seq, index]));
  rows.sort((a, b) => (place.get(a.seq) ?? 0) - (place.get(b.seq) ?? 0));
  return rows.map((row) => ({ id: row.id, fence: row.fence, task: toTask(row) }));
}

/** The part of a WHERE that lets only the holder of a claim write. */
export const HELD = "id = ? AND fence = ? AND state = 'leased'";

/** Extends leases, in a transaction. A lease that has run out is extended too, as long as nobody took it back. */
export function renew(
  db: Connection,
  leases: readonly Lease[],
  leaseMs: number,
): { lost: string[]; cancelRequested: string[] } {
  const lease = duration(leaseMs);
  const until = Math.floor(db.clock.monotonic()) + lease;
  const lost: string[] = [];
  const cancelRequested: string[] = [];
  for (const { id, fence } of leases) {
    const row = db.get<{ cancel_requested: number }>(
      `UPDATE task SET lease_boot = ?, lease_until = ?, lease_ms = ? WHERE ${HELD} RETURNING cancel_requested`,
      db.clock.boot,
      until,
      lease,
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
