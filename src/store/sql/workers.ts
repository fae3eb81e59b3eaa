import type { Heartbeat, WorkerRecord } from "../contract.ts";
import { all, later, NOW, type Procedure, raw, run, sql } from "./statement.ts";

/** Workers that were killed are removed after a week. */
const FORGOTTEN_MS = raw(String(7 * 86_400_000));

/** Stores what a worker reports, in a transaction. */
export function* heartbeat(worker: Heartbeat): Procedure<void> {
  yield* later(sql`DELETE FROM pawl.worker WHERE seen_at < ${NOW} - ${FORGOTTEN_MS}`);
  yield* run(
    sql`INSERT INTO pawl.worker (id, host, pid, queues, slots, memory, running, rates, state, started_at, seen_at)
     VALUES (${worker.id}, ${worker.host}, ${worker.pid}, ${JSON.stringify(worker.queues)}, ${worker.slots},
       ${Math.round(worker.memory)}, ${JSON.stringify(worker.running)}, ${JSON.stringify(worker.rates)}, ${worker.state},
       ${NOW}, ${NOW})
     ON CONFLICT (id) DO UPDATE SET host = excluded.host, pid = excluded.pid, queues = excluded.queues,
       slots = excluded.slots, memory = excluded.memory, running = excluded.running, rates = excluded.rates,
       state = excluded.state, seen_at = excluded.seen_at`,
  );
}

export function* removeWorker(worker: string): Procedure<void> {
  yield* run(sql`DELETE FROM pawl.worker WHERE id = ${worker}`);
}

interface WorkerRow extends Omit<WorkerRecord, "queues" | "running" | "rates"> {
  readonly queues: string;
  readonly running: string;
  readonly rates: string;
}

/** The workers whose latest heartbeat is at most so old, by id. */
export function* listWorkers(withinMs: number): Procedure<WorkerRecord[]> {
  const rows = yield* all<WorkerRow>(
    sql`SELECT id, host, pid, queues, slots, memory, running, rates, state, started_at AS "startedAt",
       seen_at AS "seenAt"
     FROM pawl.worker WHERE seen_at >= ${NOW} - CAST(${withinMs} AS double precision) ORDER BY id`,
  );
  return rows.map((row) => ({
    ...row,
    queues: JSON.parse(row.queues),
    running: JSON.parse(row.running),
    rates: JSON.parse(row.rates),
  }));
}
