import type { QueueRecord } from "../contract.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { oldestDue } from "./claim.ts";
import type { Connection } from "./connection.ts";

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
  return db.all<QueueRow>("SELECT * FROM queue ORDER BY name").map(({ name, paused, ...counts }) => {
    return { name, paused: paused === 1, counts, oldestDue: oldestDue(db, name) };
  });
}

/** Adds to the counts of each queue, in the transaction in which its tasks came to other states. */
export function countTransitions(db: Connection, { queues }: StateTransitions): void {
  for (const [name, { waiting, leased, succeeded, dead, cancelled }] of queues) {
    db.run(
      `INSERT INTO queue (name, waiting, leased, succeeded, dead, cancelled) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET waiting = waiting + excluded.waiting, leased = leased + excluded.leased,
         succeeded = succeeded + excluded.succeeded, dead = dead + excluded.dead,
         cancelled = cancelled + excluded.cancelled`,
      name,
      waiting,
      leased,
      succeeded,
      dead,
      cancelled,
    );
  }
}
