import type { TaskState } from "../contract.ts";

/** What must be known of a task whose state changes. */
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
  /** It may be open again, if it had failed. */
  reopen: boolean;
  /** Its callback has ended before it was released. */
  callbackEnded: boolean;
}

export type StateCounts = Record<TaskState, number>;

/** A change of a task, for those who subscribe to changes. */
export interface StateChange {
  readonly id: string;
  readonly fence: number;
  readonly state: TaskState;
}

/**
 * Collects the state changes of tasks in one transaction, so that the counters of a queue are written once, and a group is settled once,
 * however many of their tasks changed. The driver writes what is collected here.
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

  /** Whether changes are to be recorded, or may turn out to be. */
  readonly #keepsChanges: boolean;

  /** `location`: where the store is, for messages. */
  constructor(location: string, keepsChanges = true) {
    this.location = location;
    this.#keepsChanges = keepsChanges;
  }

  /** The state of a task changed; `from` is null for a new task. */
  add({ id, queue, fence, group_id }: Task, from: TaskState | null, to: TaskState): void {
    const counts = this.countsOf(queue);
    if (from !== null) counts[from]--;
    counts[to]++;
    if (to !== "waiting" && to !== "leased") this.settles = true;
    if (group_id !== null) this.#count(group_id, from, to);
    if (this.#keepsChanges) this.changes.push({ id, fence, state: to });
  }

  /** What happened to a group so far. The group is settled at the end of the transaction. */
  group(id: string): GroupChange {
    let change = this.#groups.get(id);
    if (change === undefined) {
      change = { succeeded: 0, failed: 0, reopen: false, callbackEnded: false };
      this.#groups.set(id, change);
    }
    return change;
  }

  /** Whether there are groups to settle. */
  get hasGroups(): boolean {
    return this.#groups.size > 0;
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
