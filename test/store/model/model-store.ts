import {
  type BucketRate,
  type ChildRecord,
  type ClaimRequest,
  type GroupRecord,
  type Lease,
  type NewGroup,
  type NewTask,
  PawlError,
  type ProgressReport,
  type QueueRecord,
  type ScheduleRecord,
  type Settlement,
  type TaskRecord,
  type TaskResult,
  type TaskSelector,
  type TaskState,
} from "../../../src/store/index.ts";
import { JsonText } from "../../../src/store/internal.ts";
import { FRESH_TASK } from "../../fresh-task.ts";
import type { TestClock } from "../test-clock.ts";
import { ModelBuckets } from "./buckets.ts";
import { ModelSchedules, type NewSchedule } from "./schedules.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface ModelTask extends Mutable<TaskRecord> {
  leaseEnd: number;
  leaseBoot: string;
  retentionMs: number | null;
  results: string[];
}

interface ModelGroup extends Mutable<GroupRecord> {
  /** To be looked at when the operation ends; the flags as told by what happened. */
  touched: boolean;
  reopen: boolean;
  doomed: boolean;
}

interface ModelQueue extends Mutable<QueueRecord> {
  counts: Record<TaskState, number>;
}

/** The tasks of a store as simply as they can be told: lists in memory. */
export class ModelStore {
  readonly #clock: TestClock;
  #tasks: ModelTask[] = [];
  #groups: ModelGroup[] = [];
  #queues: ModelQueue[] = [];
  readonly #buckets: ModelBuckets;
  readonly #schedules: ModelSchedules;

  constructor(clock: TestClock) {
    this.#clock = clock;
    this.#buckets = new ModelBuckets(clock);
    this.#schedules = new ModelSchedules(clock);
  }

  enqueue(tasks: readonly NewTask[], { groups = [] }: { groups?: readonly NewGroup[] } = {}): string[] {
    return this.#atomic(() => this.#add(tasks, groups));
  }

  closeGroup(id: string, children: number): void {
    const group = this.#group(id);
    if (group === undefined) throw new PawlError("store.no-such-group", "");
    if (group.children !== null && group.children !== children) throw new PawlError("store.group-closed", "");
    if (group.children === children) return;
    Object.assign(group, { children, touched: true });
    this.#settleGroups();
  }

  group(id: string): GroupRecord | undefined {
    const group = this.#group(id);
    if (group === undefined) return undefined;
    const { touched: _touched, reopen: _reopen, doomed: _doomed, ...record } = group;
    return record;
  }

  children(id: string): ChildRecord[] {
    return this.#childrenOf(id)
      .sort((a, b) => (a.childOf?.index ?? 0) - (b.childOf?.index ?? 0))
      .map(({ childOf, id, state, result, error }) => ({
        index: childOf?.index ?? 0,
        task: id,
        state,
        result,
        error,
      }));
  }

  claim({ queues, n, leaseMs, worker, buckets = [] }: ClaimRequest): { id: string; fence: number }[] {
    const left = new Map<string | null, number>([[null, n]]);
    for (const rate of buckets) left.set(rate.bucket, this.#buckets.allowance(rate));
    const first: ModelTask[] = [];
    for (const task of this.#line(queues)) {
      const room = left.get(task.bucket) ?? 0;
      if (first.length === n || room <= 0 || !this.#isDue(task) || this.#hasExpired(task)) continue;
      if (task.bucket !== null) left.set(task.bucket, room - 1);
      first.push(task);
    }
    for (const rate of buckets) {
      const count = first.filter(({ bucket }) => bucket === rate.bucket).length;
      if (count > 0) this.#buckets.charge(rate, count);
    }
    for (const task of first) {
      Object.assign(task, { due: null, worker, fence: task.fence + 1, startedAt: this.#clock.wall() });
      this.#move(task, "leased");
      this.#lease(task, leaseMs);
    }
    return first.map(({ id, fence }) => ({ id, fence }));
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
    return this.#atomic(() => {
      const lost: string[] = [];
      for (const settlement of settlements) {
        const { held } = this.#held([settlement]);
        if (held[0] === undefined) lost.push(settlement.id);
        else this.#end(held[0].task, settlement.result);
      }
      return { lost };
    });
  }

  requestCancel(selector: TaskSelector): number {
    const reached = this.#select(selector).filter(({ state }) => state === "waiting" || state === "leased");
    for (const task of reached) this.#cancel(task);
    this.#settleGroups();
    return reached.length;
  }

  makeClaimable(selector: TaskSelector): number {
    const reached = this.#select(selector).filter(({ state }) => state !== "leased" && state !== "succeeded");
    const callbacks: ModelTask[] = [];
    let released = 0;
    const free = reached.filter(
      (task) => !this.#groups.some(({ callback, state }) => callback === task.id && state !== "released"),
    );
    const held = new Set(free.filter(({ state }) => state === "waiting").map(({ unique }) => unique));
    this.#freeKeys(free.flatMap(({ unique }) => (unique === null || held.has(unique) ? [] : [unique])));
    for (const task of reached) {
      const group = this.#groups.find(({ callback, state }) => callback === task.id && state !== "released");
      if (group !== undefined) {
        Object.assign(group, { touched: true, reopen: true });
        if (task.state !== "waiting") callbacks.push(task);
      } else if (this.#reopen(task)) {
        task.due = Math.min(task.due ?? Number.POSITIVE_INFINITY, this.#clock.wall());
        released++;
      }
    }
    this.#settleGroups();
    return released + callbacks.filter(({ state }) => state === "waiting").length;
  }

  sweep(options: { deadWorkers: readonly string[]; poisonAfter: number }): {
    expired: string[];
    poisoned: string[];
  } {
    this.#expire(() => true);
    const taken = this.#tasks.filter(
      (task) =>
        task.state === "leased" && (this.#ranOut(task) || options.deadWorkers.includes(task.worker ?? "")),
    );
    for (const task of taken) this.#crash(task, options.poisonAfter, 0);
    this.#settleGroups();
    const ids = (tasks: ModelTask[]) => tasks.map(({ id }) => id);
    return { expired: ids(taken), poisoned: ids(taken.filter(({ state }) => state === "dead")) };
  }

  claimableInMs(queues: readonly string[], buckets: readonly BucketRate[] = []): number | null {
    const rates = new Map<string | null, number>([[null, 0]]);
    for (const rate of buckets) {
      rates.set(rate.bucket, this.#buckets.wait(rate));
    }
    const waits = this.#line(queues).flatMap((task) => {
      const rate = rates.get(task.bucket);
      return rate === undefined || task.due === null
        ? []
        : [Math.max(0, rate, task.due - this.#clock.wall())];
    });
    for (const task of this.#tasks) {
      if (task.state !== "leased" || !queues.includes(task.queue)) continue;
      waits.push(this.#ranOut(task) ? 0 : task.leaseEnd - this.#clock.monotonic());
    }
    return waits.length === 0 ? null : Math.max(0, Math.min(...waits));
  }

  queues(): QueueRecord[] {
    return this.#queues
      .map((queue) => {
        const dues = this.#tasks.flatMap((task) => (task.queue === queue.name ? (task.due ?? []) : []));
        const oldest = Math.min(...dues);
        return { ...queue, oldestDue: oldest <= this.#clock.wall() ? oldest : null };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  pauseQueue(name: string, paused: boolean): void {
    this.#queue(name).paused = paused;
  }

  /** All of them at a time: which ones come first is left to the store. */
  prune(): number {
    const gone = this.#tasks.filter(({ id, state, settledAt, retentionMs, childOf }) => {
      if (settledAt === null || retentionMs === null || settledAt + retentionMs > this.#clock.wall())
        return false;
      if (state === "waiting" || state === "leased") return false;
      const group = childOf && this.#group(childOf.group);
      const callback = this.#tasks.find((task) => task.id === group?.callback);
      if (group?.state === "open" || callback?.state === "waiting" || callback?.state === "leased")
        return false;
      const own = this.#groups.find((group) => group.callback === id);
      if (own === undefined) return true;
      return own.state !== "open" && own.children !== null && own.succeeded + own.failed >= own.children;
    });
    this.#tasks = this.#tasks.filter((task) => !gone.includes(task));
    this.#groups = this.#groups.filter(({ callback }) => !gone.some(({ id }) => id === callback));
    return gone.length;
  }

  /** How the attempts of a task ended, oldest first. */
  attempts(id: string): string[] {
    return this.#find(id)?.results ?? [];
  }

  putSchedule(schedule: NewSchedule): ScheduleRecord {
    return this.#schedules.put(schedule);
  }

  pauseSchedule(id: string, paused: boolean, next?: number | null): boolean {
    return this.#schedules.pause(id, paused, next);
  }

  removeSchedule(id: string): boolean {
    return this.#schedules.remove(id);
  }

  schedules(): ScheduleRecord[] {
    return this.#schedules.all();
  }

  /** The version is the store's affair: whether it was the current one is told instead. */
  fireSchedule(id: string, isCurrent: boolean, next: number | null, tasks: readonly NewTask[]): boolean {
    if (!isCurrent || !this.#schedules.isDue(id)) return false;
    this.enqueue(tasks);
    this.#schedules.fire(id, next);
    return true;
  }

  /** Every task, without what only the model knows. The rest of a poisoned task's error is left to the store. */
  all(): TaskRecord[] {
    return this.#tasks.map(
      ({ leaseEnd: _end, leaseBoot: _boot, retentionMs: _retention, results: _outcomes, ...task }) => task,
    );
  }

  groups(): string[] {
    return this.#groups.map(({ id }) => id);
  }

  /** All of it or nothing. */
  #atomic<T>(work: () => T): T {
    const before = structuredClone([this.#tasks, this.#groups, this.#queues] as const);
    try {
      const result = work();
      this.#settleGroups();
      return result;
    } catch (error) {
      [this.#tasks, this.#groups, this.#queues] = before;
      throw error;
    }
  }

  #add(tasks: readonly NewTask[], groups: readonly NewGroup[]): string[] {
    this.#freeKeys(tasks.flatMap(({ unique }) => unique ?? []));
    const added = tasks.filter((task) => this.#push(task)).map(({ id }) => id);
    for (const group of groups) {
      if (this.#find(group.callback) === undefined) throw new PawlError("store.no-callback", "");
      if (this.#group(group.id) !== undefined) continue;
      const news = {
        state: "open",
        succeeded: 0,
        failed: 0,
        touched: true,
        reopen: false,
        doomed: false,
      } as const;
      this.#groups.push({ ...group, ...news });
    }
    for (const { childOf } of tasks) {
      if (childOf === undefined) continue;
      const group = this.#group(childOf.group);
      if (group === undefined) throw new PawlError("store.no-such-group", "");
      if (group.state !== "failed") continue;
      for (const task of this.#childrenOf(group.id)) if (task.state === "waiting") this.#cancel(task);
    }
    return added;
  }

  #push(task: NewTask): boolean {
    const { id, queue, name, payload, flow = null, priority = 0, unique = null, bucket = null } = task;
    const { childOf = null, meta = null, retentionMs = null, expiresMs } = task;
    const taken = this.#tasks.some(
      (other) =>
        other.id === id ||
        (childOf !== null && other.childOf?.group === childOf.group && other.childOf.index === childOf.index),
    );
    if (taken || (unique !== null && this.#holder(unique) !== undefined)) return false;
    const now = this.#clock.wall();
    this.#tasks.push({
      ...{ id, queue, name, flow, priority, unique, bucket, childOf, retentionMs },
      payload: JsonText.of(payload).value(),
      meta: JsonText.of(meta).value(),
      ...FRESH_TASK,
      due: task.held ? null : now + (task.delayMs ?? 0),
      createdAt: now,
      expiresAt: expiresMs === undefined ? null : now + expiresMs,
      leaseEnd: 0,
      leaseBoot: "",
      results: [],
    });
    this.#queue(queue).counts.waiting++;
    return true;
  }

  /** A task comes to another state: its queue and its group count that. */
  #move(task: ModelTask, state: TaskState): void {
    const { counts } = this.#queue(task.queue);
    counts[task.state]--;
    counts[state]++;
    const group = task.childOf && this.#group(task.childOf.group);
    if (group) {
      const hasFailed = (of: TaskState) => Number(of === "dead" || of === "cancelled");
      group.failed += hasFailed(state) - hasFailed(task.state);
      group.succeeded += Number(state === "succeeded");
      group.touched = true;
    }
    task.state = state;
  }

  #finish(task: ModelTask, state: TaskState): void {
    this.#move(task, state);
    Object.assign(task, { due: null, settledAt: this.#clock.wall() });
  }

  /** Cancels a waiting task, asks the holder of a leased one. */
  #cancel(task: ModelTask): void {
    task.cancelRequested = true;
    if (task.state !== "waiting") return;
    this.#endBody(task);
    this.#finish(task, "cancelled");
  }

  /** A callback that ends before its group let it go takes that along. */
  #endBody(task: ModelTask): void {
    const group = this.#groups.find(({ callback, state }) => callback === task.id && state === "open");
    if (group !== undefined) Object.assign(group, { touched: true, doomed: true });
  }

  /** A task waits as if nothing had happened; false when its unique key is taken. */
  #reopen(task: ModelTask): boolean {
    if (task.state !== "waiting") {
      if (task.unique !== null && this.#holder(task.unique) !== undefined) return false;
      const group = task.childOf && this.#group(task.childOf.group);
      if (group) group.reopen = true;
      this.#move(task, "waiting");
    }
    if (task.expiresAt !== null && task.expiresAt <= this.#clock.wall()) task.expiresAt = null;
    Object.assign(task, { failures: 0, crashes: 0, cancelRequested: false, error: null, settledAt: null });
    return true;
  }

  /** Draws the consequences for groups, until there are none: in rounds, and by id within one. */
  #settleGroups(): void {
    for (;;) {
      const round = this.#groups
        .filter(({ touched }) => touched)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((group) => ({ group, before: { ...group } }));
      if (round.length === 0) return;
      for (const { group } of round) Object.assign(group, { touched: false, doomed: false, reopen: false });
      for (const { group, before } of round) this.#settleGroup(group, before);
    }
  }

  #settleGroup(group: ModelGroup, { children, need, succeeded, failed, reopen, doomed }: ModelGroup): void {
    const hopeless = need === "all" ? failed > 0 : children !== null && children - failed < need;
    if (group.state === "failed" && reopen && !hopeless && this.#holdBody(group)) group.state = "open";
    if (group.state !== "open") return;
    if (doomed || hopeless) this.#fail(group);
    else if (children !== null && succeeded + failed >= children) {
      group.state = "released";
      const callback = this.#find(group.callback);
      if (callback?.state === "waiting" && callback.due === null) callback.due = this.#clock.wall();
    }
  }

  #holdBody({ callback }: ModelGroup): boolean {
    const task = this.#find(callback);
    return (
      task !== undefined && (task.state === "succeeded" || task.state === "leased" || this.#reopen(task))
    );
  }

  #fail(group: ModelGroup): void {
    group.state = "failed";
    const children = this.#childrenOf(group.id);
    const first = children
      .filter(({ state }) => state === "dead" || state === "cancelled")
      .sort(
        (a, b) =>
          (a.settledAt ?? 0) - (b.settledAt ?? 0) || (a.childOf?.index ?? 0) - (b.childOf?.index ?? 0),
      )[0];
    const callback = this.#find(group.callback);
    if (callback?.state === "waiting") {
      const what =
        first &&
        `Child ${first.childOf?.index} (${first.id}) ${first.state === "dead" ? "failed" : "was cancelled"}`;
      const why = first?.error == null ? "." : `: ${first.error}`;
      callback.error =
        what === undefined ? `Of its ${group.children} children ${group.need} should succeed.` : what + why;
      this.#finish(callback, "dead");
    }
    for (const task of children) if (task.state === "waiting" || task.state === "leased") this.#cancel(task);
  }

  #end(task: ModelTask, result: TaskResult): void {
    if (result.state === "crashed") {
      this.#crash(task, result.poisonAfter, result.delayMs);
      return;
    }
    task.results = [...task.results, result.state].slice(-100);
    if (result.state === "retry" || result.state === "dead") {
      Object.assign(task, { failures: task.failures + 1, error: result.error });
    }
    if (result.state === "succeeded") this.#succeed(task, result);
    else if (result.state === "retry" || result.state === "snoozed") this.#handBack(task, result.delayMs);
    else this.#finish(task, result.state);
  }

  #succeed(task: ModelTask, result: Extract<TaskResult, { state: "succeeded" }>): void {
    const { next = [], groups = [], successor } = result;
    if (task.cancelRequested && next.length + groups.length > 0) {
      this.#finish(task, "cancelled");
      return;
    }
    Object.assign(task, { result: result.value ?? null, error: null });
    const { childOf } = task;
    const group = childOf && this.#group(childOf.group);
    const heir = group && next.find(({ id }) => id === successor);
    // Ended, it gives its unique key free; but it stays in its place until that is passed on.
    task.childOf = null;
    this.#finish(task, "succeeded");
    task.childOf = childOf;
    const added = this.#add(
      next.map((one) => {
        const { childOf: _, ...alone } = one;
        return one === heir ? alone : one;
      }),
      groups,
    );
    const stored = heir && added.includes(heir.id) ? this.#find(heir.id) : undefined;
    if (stored) {
      task.childOf = null;
      stored.childOf = childOf;
      if (group?.state === "failed") this.#cancel(stored);
    } else if (group) Object.assign(group, { succeeded: group.succeeded + 1, touched: true });
  }

  #crash(task: ModelTask, poisonAfter: number, delayMs: number): void {
    task.crashes++;
    task.results = [...task.results, "crashed"].slice(-100);
    if (task.cancelRequested || task.crashes < poisonAfter) this.#handBack(task, delayMs);
    else {
      task.error = "Poisoned";
      this.#finish(task, "dead");
    }
  }

  #handBack(task: ModelTask, delayMs: number | null): void {
    if (task.cancelRequested) this.#finish(task, "cancelled");
    else {
      this.#move(task, "waiting");
      task.due = delayMs === null ? null : this.#clock.wall() + delayMs;
    }
  }

  /** Those that wait in queues that are not paused, in the order in which they are claimed. */
  #line(queues: readonly string[]): ModelTask[] {
    const open = queues.filter((name) => !this.#queues.some((queue) => queue.name === name && queue.paused));
    return this.#tasks
      .filter((task) => task.state === "waiting" && task.due !== null && open.includes(task.queue))
      .sort((a, b) => b.priority - a.priority || (a.due ?? 0) - (b.due ?? 0));
  }

  #isDue(task: ModelTask): boolean {
    return task.due !== null && task.due <= this.#clock.wall();
  }

  #expire(which: (task: ModelTask) => boolean): void {
    for (const task of this.#tasks.filter((task) => this.#hasExpired(task) && which(task))) {
      task.error = "expired";
      this.#endBody(task);
      this.#finish(task, "cancelled");
    }
  }

  /** What has expired holds no unique key that is wanted. */
  #freeKeys(keys: readonly string[]): void {
    this.#expire(({ unique }) => unique !== null && keys.includes(unique));
  }

  #hasExpired({ state, fence, expiresAt }: ModelTask): boolean {
    return state === "waiting" && fence === 0 && expiresAt !== null && expiresAt <= this.#clock.wall();
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
      const task = this.#find(item.id);
      if (task?.state === "leased" && task.fence === item.fence) held.push({ task, item });
      else lost.push(item.id);
    }
    return { held, lost };
  }

  #find(id: string): ModelTask | undefined {
    return this.#tasks.find((task) => task.id === id);
  }

  #holder(unique: string): ModelTask | undefined {
    return this.#tasks.find(
      (task) => task.unique === unique && (task.state === "waiting" || task.state === "leased"),
    );
  }

  #group(id: string): ModelGroup | undefined {
    return this.#groups.find((group) => group.id === id);
  }

  #childrenOf(group: string): ModelTask[] {
    return this.#tasks.filter(({ childOf }) => childOf?.group === group);
  }

  #queue(name: string): ModelQueue {
    let queue = this.#queues.find((one) => one.name === name);
    if (queue === undefined) {
      const counts = { waiting: 0, leased: 0, succeeded: 0, dead: 0, cancelled: 0 };
      queue = { name, paused: false, counts, oldestDue: null };
      this.#queues.push(queue);
    }
    return queue;
  }

  #select({ ids, flow, queue, states, name, text, unique }: TaskSelector): ModelTask[] {
    return this.#tasks.filter(
      (task) =>
        (ids === undefined || ids.includes(task.id)) &&
        (flow === undefined || task.flow === flow) &&
        (queue === undefined || task.queue === queue) &&
        (states === undefined || states.includes(task.state)) &&
        (name === undefined || task.name === name) &&
        (text === undefined || JSON.stringify(task.payload).toLowerCase().includes(text.toLowerCase())) &&
        (unique === undefined || this.#holder(unique) === task),
    );
  }
}
