import type { QueueRecord } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { oldestDue } from "./line.ts";

/** Pauses or resumes a queue, in a transaction. */
export function pauseQueue(db: Connection, queue: string, paused: boolean): void {
  db.run(
    "INSERT INTO queue (name, paused) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET paused = ?2",
    queue,
    Number(paused),
  );
}

interface QueueRow {
  readonly name: string;
  readonly paused: number;
  readonly waiting: number;
  readonly leased: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
}

export function listQueues(db: Connection): QueueRecord[] {
  const rows = db.all<QueueRow>("SELECT * FROM queue ORDER BY name");
  return rows.map(({ name, paused, ...counts }) => {
    return { name, paused: paused === 1, counts, oldestDue: oldestDue(db, name) };
  });
}
