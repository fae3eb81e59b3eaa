import type { Claim, ClaimRequest, LaneRate, Lease, ProgressReport } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { charge } from "./lanes.ts";
import { firstInLine, NOT_EXPIRED } from "./line.ts";
import type { Moves } from "./moves.ts";
import { type TaskRow, toTask } from "./task-row.ts";
import { duration, toText } from "./values.ts";

/** Leases tasks to a worker, in a transaction. */
export function claim(db: Connection, request: ClaimRequest, moves: Moves): Claim[] {
  const { queues, lanes = [], n } = request;
  // Almost never does a task expire, so it is not looked for until one was met.
  let chosen = firstInLine(db, { queues, lanes, n, alive: false });
  let rows = lease(db, request, chosen, moves);
  if (rows.length < chosen.length) {
    const more = firstInLine(db, { queues, lanes, n: n - rows.length, alive: true });
    rows = [...rows, ...lease(db, request, more, moves)];
    chosen = [...chosen, ...more];
  }
  // The rows come back in any order.
  const place = new Map(chosen.map(({ seq }, index) => [seq, index]));
  rows.sort((a, b) => (place.get(a.seq) ?? 0) - (place.get(b.seq) ?? 0));
  return rows.map((row) => ({ id: row.id, fence: row.fence, task: toTask(row) }));
}

/** Leases the chosen tasks, but for those that have expired. */
function lease(
  db: Connection,
  { leaseMs, worker }: ClaimRequest,
  chosen: readonly { readonly seq: number; readonly rate: LaneRate | null }[],
  moves: Moves,
): TaskRow[] {
  const length = duration(leaseMs);
  const now = db.clock.wall();
  const rows = db.all<TaskRow>(
    `UPDATE task SET state = 'leased', due = NULL, fence = fence + 1, worker = ?, started_at = ?,
       lease_boot = ?, lease_until = ?, lease_ms = ?
     WHERE seq IN (SELECT value FROM json_each(?)) AND ${NOT_EXPIRED} RETURNING *`,
    worker,
    now,
    db.clock.boot,
    Math.floor(db.clock.monotonic()) + length,
    length,
    JSON.stringify(chosen.map(({ seq }) => seq)),
    now,
  );
  for (const row of rows) moves.add(row, "waiting", "leased");
  const rates = new Map(chosen.flatMap(({ rate }) => (rate === null ? [] : [[rate.lane, rate]])));
  for (const [lane, rate] of rates) {
    charge(db, rate, rows.filter((row) => row.lane === lane).length);
  }
  return rows;
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
