import type { Heartbeat, WorkerRecord } from "../contract.ts";
import type { Connection } from "./connection.ts";

/** Workers that ended without a word are forgotten after a week. */
const FORGOTTEN_MS = 7 * 86_400_000;

/** Notes that a worker lives, in a transaction. */
export function beat(db: Connection, worker: Heartbeat): void {
  const now = db.clock.wall();
  db.run(
    `INSERT INTO worker (id, host, pid, queues, slots, memory, running, rates, state, started_at, seen_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10) ON CONFLICT (id) DO UPDATE SET host = ?2, pid = ?3,
       queues = ?4, slots = ?5, memory = ?6, running = ?7, rates = ?8, state = ?9, seen_at = ?10`,
    worker.id,
    worker.host,
    worker.pid,
    JSON.stringify(worker.queues),
    worker.slots,
    worker.memory,
    JSON.stringify(worker.running),
    JSON.stringify(worker.rates),
    worker.state,
    now,
  );
  db.run("DELETE FROM worker WHERE seen_at < ?", now - FORGOTTEN_MS);
}

export function leave(db: Connection, worker: string): void {
  db.run("DELETE FROM worker WHERE id = ?", worker);
}

interface WorkerRow {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly queues: string;
  readonly slots: number;
  readonly memory: number;
  readonly running: string;
  readonly rates: string;
  readonly state: Heartbeat["state"];
  readonly startedAt: number;
  readonly seenAt: number;
}

/** The workers that were heard of lately, by id. */
export function listWorkers(db: Connection, withinMs: number): WorkerRecord[] {
  const rows = db.all<WorkerRow>(
    `SELECT id, host, pid, queues, slots, memory, running, rates, state, started_at AS startedAt, seen_at AS seenAt
     FROM worker WHERE seen_at >= ? ORDER BY id`,
    db.clock.wall() - withinMs,
  );
  return rows.map((row) => ({
    ...row,
    queues: JSON.parse(row.queues),
    running: JSON.parse(row.running),
    rates: JSON.parse(row.rates),
  }));
}
