import type { TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { isRecording } from "./recording.ts";

/** What must be known of a task that comes to another state. */
export interface Moved {
  readonly seq: number;
  readonly queue: string;
  readonly group_id: string | null;
}

/** The columns of a Moved, for a SELECT or a RETURNING. */
export const MOVED = "seq, queue, group_id";

/** What happened to a group in this transaction. */
export interface GroupChange {
  succeeded: number;
  failed: number;
  /** A failed one may be open again. */
  reopen: boolean;
  /** Its callback has ended before it was let go. */
  doomed: boolean;
}

type Counts = Record<TaskState, number>;

/**
 * Keeps account of the tasks that come to another state in one transaction: counters are changed once a queue, groups
 * once a group, however many tasks there are.
 */
export class Moves {
  readonly #db: Connection;
  readonly #recording: boolean;
  readonly #queues = new Map<string, Counts>();
  #groups = new Map<string, GroupChange>();
  /** Whether something may have become claimable. */
  wakes = false;
  /** Whether something was settled. */
  settled = false;

  constructor(db: Connection) {
    this.#db = db;
    this.#recording = isRecording(db);
  }

  /** A task came from one state (null: it is new) to another. */
  add(task: Moved, from: TaskState | null, to: TaskState): void {
    const counts = this.#countsOf(task.queue);
    if (from !== null) counts[from]--;
    counts[to]++;
    if (to !== "waiting" && to !== "leased") this.settled = true;
    if (task.group_id !== null) this.#count(task.group_id, from, to);
    if (this.#recording) this.#record(task, to);
  }

  /** What is known of a group so far; it is looked at when the groups are settled. */
  join(id: string): GroupChange {
    let change = this.#groups.get(id);
    if (change === undefined) {
      change = { succeeded: 0, failed: 0, reopen: false, doomed: false };
      this.#groups.set(id, change);
    }
    return change;
  }

  /** The groups with something new, each once, in order of their ids; settling them may bring others. */
  takeGroups(): [id: string, change: GroupChange][] {
    const taken = [...this.#groups].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#groups = new Map();
    return taken;
  }

  /** Writes the counters of the queues. */
  writeCounts(): void {
    for (const [name, { waiting, leased, succeeded, dead, cancelled }] of this.#queues) {
      this.#db.run(
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

  #countsOf(queue: string): Counts {
    let counts = this.#queues.get(queue);
    if (counts === undefined) {
      counts = { waiting: 0, leased: 0, succeeded: 0, dead: 0, cancelled: 0 };
      this.#queues.set(queue, counts);
    }
    return counts;
  }

  #count(id: string, from: TaskState | null, to: TaskState): void {
    const wasFailed = from === "dead" || from === "cancelled";
    const isFailed = to === "dead" || to === "cancelled";
    if (to !== "succeeded" && wasFailed === isFailed) return;
    const change = this.join(id);
    if (to === "succeeded") change.succeeded++;
    change.failed += Number(isFailed) - Number(wasFailed);
  }

  #record({ seq }: Moved, state: TaskState): void {
    this.#db.run(
      `INSERT INTO change (at, task, name, queue, flow, state, fence)
       SELECT ?, id, name, queue, flow, ?, fence FROM task WHERE seq = ?`,
      this.#db.clock.wall(),
      state,
      seq,
    );
  }
}
