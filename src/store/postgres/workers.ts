import type { Heartbeat, WorkerRecord } from "../contract.ts";
import type { Session } from "./session.ts";

/** Workers that ended without a word are forgotten after a week. */
const FORGOTTEN_MS = 7 * 86_400_000;

/** Notes that a worker lives. */
export async function beat(session: Session, worker: Heartbeat): Promise<void> {
  session.later(`DELETE FROM pawl.worker WHERE seen_at < (SELECT pawl.now_ms()) - ${FORGOTTEN_MS}`);
  await session.run(
    `INSERT INTO pawl.worker AS w (id, host, pid, queues, slots, memory, running, rates, state, started_at, seen_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT pawl.now_ms()), (SELECT pawl.now_ms()))
     ON CONFLICT (id) DO UPDATE SET host = excluded.host, pid = excluded.pid, queues = excluded.queues,
       slots = excluded.slots, memory = excluded.memory, running = excluded.running, rates = excluded.rates,
       state = excluded.state, seen_at = excluded.seen_at`,
    [
      worker.id,
      worker.host,
      worker.pid,
      JSON.stringify(worker.queues),
      worker.slots,
      Math.round(worker.memory),
      JSON.stringify(worker.running),
      JSON.stringify(worker.rates),
      worker.state,
    ],
  );
}

export async function leave(session: Session, worker: string): Promise<void> {
  await session.run("DELETE FROM pawl.worker WHERE id = $1", [worker]);
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
export async function listWorkers(session: Session, withinMs: number): Promise<WorkerRecord[]> {
  const rows = await session.all<WorkerRow>(
    `SELECT id, host, pid, queues, slots, memory, running, rates, state, started_at AS "startedAt",
       seen_at AS "seenAt"
     FROM pawl.worker WHERE seen_at >= (SELECT pawl.now_ms()) - $1::double precision ORDER BY id`,
    [withinMs],
  );
  return rows.map((row) => ({
    ...row,
    queues: JSON.parse(row.queues),
    running: JSON.parse(row.running),
    rates: JSON.parse(row.rates),
  }));
}
