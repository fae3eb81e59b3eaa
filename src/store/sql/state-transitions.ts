import type { TaskState } from "../contract.ts";

/** What must be known of a task that comes to another state. */
export interface Transitioned {
  readonly id: string;
  readonly queue: string;
  readonly fence: number;
  readonly group_id: string | null;
}

/** What happened to a group in one transaction. */
export interface GroupChange {
  succeeded: number;
  failed: number;
  /** A failed one may be open again. */
  reopen: boolean;
  /** Its callback has ended before it was released. */
  doomed: boolean;
}

export type StateCounts = Record<TaskState, number>;

/** A change of a task, for those who subscribe to changes. */
export interface StateChange {
  readonly id: string;
  readonly fence: number;
  readonly state: TaskState;
}

/**
 * Keeps account of the tasks that come to another state in one transaction: counters are changed once a queue, groups
 * once a group, however many tasks there are. The driver writes what is counted here.
 */
export class StateTransitions<Task extends Transitioned = Transitioned> {
  readonly location: string;
  readonly queues = new Map<string, StateCounts>();
  readonly changes: StateChange[] = [];
  #groups = new Map<string, GroupChange>();
  /** Whether something may have become claimable. */
  wakes = false;
  /** Whether something was settled. */
  settles = false;

  /** Whether changes are to be kept, or may turn out to be. */
  readonly #keepsChanges: boolean;

  /** `location`: where the store is, for messages. */
  constructor(location: string, keepsChanges = true) {
    this.location = location;
    this.#keepsChanges = keepsChanges;
  }

  /** A task came from one state (null: it is new) to another. */
  add({ id, queue, fence, group_id }: Task, from: TaskState | null, to: TaskState): void {
    const counts = this.countsOf(queue);
    if (from !== null) counts[from]--;
    counts[to]++;
    if (to !== "waiting" && to !== "leased") this.settles = true;
    if (group_id !== null) this.#count(group_id, from, to);
    if (this.#keepsChanges) this.changes.push({ id, fence, state: to });
  }

  /** What is known of a group so far; it is looked at when the groups are settled. */
  group(id: string): GroupChange {
    let change = this.#groups.get(id);
    if (change === undefined) {
      change = { succeeded: 0, failed: 0, reopen: false, doomed: false };
      this.#groups.set(id, change);
    }
    return change;
  }

  /** The groups with something new, each once; settling them may bring others. */
  takeGroups(): ReadonlyMap<string, GroupChange> {
    const taken = this.#groups;
    if (taken.size > 0) this.#groups = new Map();
    return taken;
  }

  protected countsOf(queue: string): StateCounts {
    let counts = this.queues.get(queue);
    if (counts === undefined) {
      counts = { waiting: 0, leased: 0, succeeded: 0, dead: 0, cancelled: 0 };
      this.queues.set(queue, counts);
    }
    return counts;
  }

  #count(id: string, from: TaskState | null, to: TaskState): void {
    const wasFailed = from === "dead" || from === "cancelled";
    const isFailed = to === "dead" || to === "cancelled";
    if (to !== "succeeded" && wasFailed === isFailed) return;
    const change = this.group(id);
    if (to === "succeeded") change.succeeded++;
    change.failed += Number(isFailed) - Number(wasFailed);
  }
}
