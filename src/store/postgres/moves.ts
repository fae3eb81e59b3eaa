import type { Lease, TaskState } from "../contract.ts";
import { unlease } from "./leases.ts";
import { type Retained, retain } from "./retained.ts";
import { prepared, type Session } from "./session.ts";
import { sought } from "./sought.ts";
import type { Transaction } from "./transaction.ts";
import { scalars, texts } from "./values.ts";

/** What must be known of a task that comes to another state. */
export interface Moved {
  readonly id: string;
  readonly queue: string;
  readonly fence: number;
  readonly group_id: string | null;
}

/** What must be known as well of one that comes from being leased, or is settled. */
export interface Ended extends Moved {
  readonly seq: number;
  /** The row of pawl.lease in which it stood. */
  readonly lease: number | null;
  readonly prune_at: number | null;
}

/** What tasks have in common that succeeded together. */
export type Alike = Pick<Ended, "queue" | "lease">;

/** The columns of an Ended of the table `t`, for a RETURNING. */
export const ENDED = "t.id, t.queue, t.fence, t.group_id, t.seq, t.lease, t.prune_at";

/** The columns of a Moved. */
export const MOVED = "t.id, t.queue, t.fence, t.group_id";

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

const COUNT = prepared(`
  INSERT INTO pawl.queue_count (queue, waiting, leased, succeeded, dead, cancelled)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])`);

interface Change {
  readonly id: string;
  readonly fence: number;
  readonly state: TaskState;
}

/**
 * Keeps account of the tasks that come to another state in one transaction: counters are changed once a queue, groups
 * once a group, however many tasks there are.
 */
export class Moves {
  readonly session: Session;
  readonly #recording: Promise<boolean>;
  readonly #queues = new Map<string, Counts>();
  readonly #changes: Change[] = [];
  #groups = new Map<string, GroupChange>();
  /** How many tasks each row of pawl.lease has lost. */
  readonly #unleased = new Map<number, number>();
  /** What was settled and is not noted yet, and until when it is kept. */
  readonly #retained: Retained[] = [];
  /** Whether something may have become claimable. */
  wakes = false;
  /** Whether something was settled. */
  settles = false;

  constructor({ session, recording }: Pick<Transaction, "session" | "recording">) {
    this.session = session;
    this.#recording = recording;
  }

  /** A task that was leased, or waited, came to be settled or waits again. */
  end(task: Ended, from: "waiting" | "leased", to: TaskState): void {
    const { seq, lease, prune_at } = task;
    if (from === "leased" && lease !== null) {
      this.#unleased.set(lease, (this.#unleased.get(lease) ?? 0) + 1);
    }
    if (to !== "waiting" && prune_at !== null) this.#retained.push({ seq, pruneAt: prune_at });
    this.add(task, from, to);
  }

  /** Tasks in no group that were leased have succeeded, all alike; until when they are kept is noted. */
  succeed(alike: Alike, tasks: readonly Lease[]): void {
    const { queue, lease } = alike;
    const counts = this.#countsOf(queue);
    counts.leased -= tasks.length;
    counts.succeeded += tasks.length;
    if (lease !== null) this.#unleased.set(lease, (this.#unleased.get(lease) ?? 0) + tasks.length);
    for (const { id, fence } of tasks) this.#changes.push({ id, fence, state: "succeeded" });
    this.settles = true;
  }

  /** A task came from one state (null: it is new) to another. Whatever ends comes by `end`. */
  add(task: Moved, from: TaskState | null, to: TaskState): void {
    const counts = this.#countsOf(task.queue);
    if (from !== null) counts[from]--;
    counts[to]++;
    if (task.group_id !== null) this.#count(task.group_id, from, to);
    if (to !== "waiting" && to !== "leased") this.settles = true;
    this.#changes.push({ id: task.id, fence: task.fence, state: to });
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

  /** The groups with something new, each once; settling them may bring others. */
  takeGroups(): Map<string, GroupChange> {
    const taken = this.#groups;
    this.#groups = new Map();
    return taken;
  }

  /**
   * Writes the counters of the queues, and what goes with the tasks: their leases, how long they are kept, and the
   * changes if somebody reads them. False when there was nothing.
   */
  async write(): Promise<boolean> {
    const counts = [...this.#queues];
    if (counts.length === 0) return false;
    if (this.#unleased.size > 0) unlease(this.session, this.#unleased);
    if (this.#retained.length > 0) retain(this.session, this.#retained);
    const of = (state: TaskState) => scalars(counts.map(([, count]) => count[state]));
    this.session.later(COUNT, [
      texts(counts.map(([name]) => name)),
      of("waiting"),
      of("leased"),
      of("succeeded"),
      of("dead"),
      of("cancelled"),
    ]);
    if (!(await this.#recording)) return true;
    const changes = this.#changes;
    this.session.later(
      `INSERT INTO pawl.change (at, task, name, queue, flow, state, fence)
       SELECT (SELECT pawl.now_ms()), t.id, t.name, t.queue, t.flow, c.state, c.fence
       FROM unnest($1::text[], $2::text[], $3::integer[]) WITH ORDINALITY AS c (id, state, fence, place)
         JOIN pawl.task AS t ON ${sought("t.id", "c.id")}
       ORDER BY c.place`,
      [
        texts(changes.map(({ id }) => id)),
        texts(changes.map(({ state }) => state)),
        scalars(changes.map(({ fence }) => fence)),
      ],
    );
    return true;
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
}
