import type {
  ClaimRequest,
  Lease,
  NewTask,
  ProgressReport,
  Settlement,
  TaskRecord,
  TaskSelector,
} from "../../src/store/index.ts";
import type { TestClock } from "./test-clock.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface ModelTask extends Mutable<TaskRecord> {
  leaseEnd: number;
  leaseBoot: string;
}

/** The tasks of a store as simply as they can be told: a list in memory. */
export class ModelStore {
  readonly #clock: TestClock;
  #tasks: ModelTask[] = [];

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  enqueue(tasks: readonly NewTask[]): string[] {
    const added: string[] = [];
    for (const task of tasks) {
      if (this.#tasks.some(({ id }) => id === task.id)) continue;
      added.push(task.id);
      this.#tasks.push({
        id: task.id,
        queue: task.queue,
        name: task.name,
        group: task.group ?? null,
        payload: task.payload,
        priority: task.priority ?? 0,
        state: "waiting",
        due: this.#clock.wall() + (task.delayMs ?? 0),
        fence: 0,
        worker: null,
        failures: 0,
        crashes: 0,
        cancelRequested: false,
        progress: null,
        result: null,
        error: null,
        createdAt: this.#clock.wall(),
        settledAt: null,
        leaseEnd: 0,
        leaseBoot: "",
      });
    }
    return added;
  }

  claim({ queues, n, leaseMs, worker }: ClaimRequest): { id: string; fence: number }[] {
    const due = this.#tasks
      .filter((task) => task.state === "waiting" && queues.includes(task.queue) && this.#isDue(task))
      .sort((a, b) => b.priority - a.priority || (a.due ?? 0) - (b.due ?? 0))
      .slice(0, n);
    for (const task of due) {
      Object.assign(task, { state: "leased", due: null, worker, fence: task.fence + 1 });
      this.#lease(task, leaseMs);
    }
    return due.map(({ id, fence }) => ({ id, fence }));
  }

  renew(leases: readonly Lease[], leaseMs: number): { lost: string[]; cancelRequested: string[] } {
    const { held, lost } = this.#held(leases);
    for (const { task } of held) this.#lease(task, leaseMs);
    return {
      lost,
      cancelRequested: held.filter(({ task }) => task.cancelRequested).map(({ task }) => task.id),
    };
  }

  progress(reports: readonly ProgressReport[]): { lost: string[] } {
    const { held, lost } = this.#held(reports);
    for (const { task, item } of held) Object.assign(task, { progress: item.value, crashes: 0 });
    return { lost };
  }

  settle(settlements: readonly Settlement[]): { lost: string[] } {
    const lost: string[] = [];
    for (const settlement of settlements) {
      const { held } = this.#held([settlement]);
      if (held[0] === undefined) lost.push(settlement.id);
      else this.#end(held[0].task, settlement);
    }
    return { lost };
  }

  requestCancel(selector: TaskSelector): number {
    const reached = this.#select(selector).filter(({ state }) => state === "waiting" || state === "leased");
    for (const task of reached) {
      task.cancelRequested = true;
      if (task.state === "waiting") this.#finish(task, "cancelled");
    }
    return reached.length;
  }

  release(selector: TaskSelector): number {
    const reached = this.#select(selector).filter(({ state }) => state !== "leased" && state !== "succeeded");
    for (const task of reached) {
      const due = Math.min(task.due ?? Number.POSITIVE_INFINITY, this.#clock.wall());
      const forgotten = { failures: 0, crashes: 0, cancelRequested: false, error: null, settledAt: null };
      Object.assign(task, { state: "waiting", due, ...forgotten });
    }
    return reached.length;
  }

  sweep(options: { deadWorkers: readonly string[]; poisonAfter: number }): {
    expired: string[];
    poisoned: string[];
  } {
    const taken = this.#tasks.filter(
      (task) =>
        task.state === "leased" && (this.#ranOut(task) || options.deadWorkers.includes(task.worker ?? "")),
    );
    for (const task of taken) {
      task.crashes++;
      if (task.cancelRequested) this.#finish(task, "cancelled");
      else if (task.crashes >= options.poisonAfter) {
        this.#finish(task, "dead");
        task.error = "Poisoned";
      } else Object.assign(task, { state: "waiting", due: this.#clock.wall() });
    }
    const ids = (tasks: ModelTask[]) => tasks.map(({ id }) => id);
    return { expired: ids(taken), poisoned: ids(taken.filter(({ state }) => state === "dead")) };
  }

  due(queues: readonly string[]): number | null {
    const waits = this.#tasks
      .filter(({ queue }) => queues.includes(queue))
      .flatMap((task) => {
        if (task.state === "waiting" && task.due !== null) return [task.due - this.#clock.wall()];
        if (task.state === "leased")
          return [this.#ranOut(task) ? 0 : task.leaseEnd - this.#clock.monotonic()];
        return [];
      });
    return waits.length === 0 ? null : Math.max(0, Math.min(...waits));
  }

  /** Every task, without what only the model knows. The rest of a poisoned task's error is left to the store. */
  all(): TaskRecord[] {
    return this.#tasks.map(({ leaseEnd: _end, leaseBoot: _boot, ...task }) => task);
  }

  #isDue(task: ModelTask): boolean {
    return task.due !== null && task.due <= this.#clock.wall();
  }

  #lease(task: ModelTask, leaseMs: number): void {
    task.leaseEnd = this.#clock.monotonic() + leaseMs;
    task.leaseBoot = this.#clock.boot;
  }

  #ranOut(task: ModelTask): boolean {
    return task.leaseBoot !== this.#clock.boot || task.leaseEnd <= this.#clock.monotonic();
  }

  #held<T extends Lease>(items: readonly T[]): { held: { task: ModelTask; item: T }[]; lost: string[] } {
    const held: { task: ModelTask; item: T }[] = [];
    const lost: string[] = [];
    for (const item of items) {
      const task = this.#tasks.find(({ id }) => id === item.id);
      if (task?.state === "leased" && task.fence === item.fence) held.push({ task, item });
      else lost.push(item.id);
    }
    return { held, lost };
  }

  #end(task: ModelTask, { outcome }: Settlement): void {
    if (outcome.state === "retry" || outcome.state === "dead") {
      task.failures++;
      task.error = outcome.error;
    }
    if (outcome.state === "succeeded") Object.assign(task, { result: outcome.result ?? null, error: null });
    if (outcome.state !== "retry" && outcome.state !== "snoozed") this.#finish(task, outcome.state);
    else if (task.cancelRequested) this.#finish(task, "cancelled");
    else {
      task.state = "waiting";
      task.due = outcome.delayMs === null ? null : this.#clock.wall() + outcome.delayMs;
    }
  }

  #finish(task: ModelTask, state: TaskRecord["state"]): void {
    Object.assign(task, { state, due: null, settledAt: this.#clock.wall() });
  }

  #select({ ids, group, queue, states }: TaskSelector): ModelTask[] {
    return this.#tasks.filter(
      (task) =>
        (ids === undefined || ids.includes(task.id)) &&
        (group === undefined || task.group === group) &&
        (queue === undefined || task.queue === queue) &&
        (states === undefined || states.includes(task.state)),
    );
  }
}
