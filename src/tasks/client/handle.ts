import { setTimeout as sleep } from "node:timers/promises";
import { assertObject } from "../../arguments.ts";
import { type Duration, durationText, optionalMilliseconds } from "../../durations.ts";
import { withoutFullStop } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json, Store, TaskRecord, TaskState, TaskStore } from "../../store/contract.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { revived } from "../flow/group-results.ts";
import { metaOf } from "../task-meta.ts";
import { WakeUpSignal } from "../wake-up-signal.ts";

/** The state of a task; of a flow, that of the link that is under way or that failed. */
export interface TaskStatus {
  /** The id of the task or flow, as that of its handle. */
  readonly id: string;
  /** The name of the task; in a flow, of the link that is under way. */
  readonly name: string;
  /** The queue of that task. */
  readonly queue: string;
  /** `waiting`, `leased` (an attempt runs), `succeeded`, `dead` or `cancelled`. */
  readonly state: TaskState;
  /** How many attempts were begun. */
  readonly attempt: number;
  /** How many attempts failed. */
  readonly failures: number;
  /** How many workers or children died of it since its latest progress. */
  readonly crashes: number;
  /** The latest progress that it reported. */
  readonly progress: Progress | null;
  /** Why the latest attempt failed; null where none has. */
  readonly error: string | null;
  /** It was asked to stop while it runs. */
  readonly cancelRequested: boolean;
  /** The id of the worker that runs it. */
  readonly worker: string | null;
  /** When it was enqueued, by the clock of the store. */
  readonly createdAt: Date;
  /** When it may begin; null while it waits for others, and once it has begun. */
  readonly due: Date | null;
  /** When its latest attempt began; null before the first. */
  readonly startedAt: Date | null;
  /** When it ended; null before. */
  readonly settledAt: Date | null;
}

/**
 * A task that will not have a result, because it failed for good (`task.failed`) or was cancelled (`task.cancelled`).
 *
 * @example
 * ```ts
 * try {
 *   await handleOf("0123456789abcdef").result();
 * } catch (error) {
 *   if (error instanceof TaskFailedError) console.log(`${error.task} is ${error.state}: ${error.message}`);
 * }
 * ```
 */
export class TaskFailedError extends PawlError {
  override readonly name = "TaskFailedError";
  /** The id of the task that failed; in a flow, that of the link. */
  readonly task: string;
  /** `dead` when it failed for good. */
  readonly state: "dead" | "cancelled";

  constructor(record: TaskRecord) {
    const { id, name, state, error, failures } = record;
    const why = withoutFullStop(error ?? "no reason is known");
    const sentence =
      state === "cancelled"
        ? `Task ${id} (${name}) was cancelled${error === null ? "" : `: ${why}`}.`
        : `Task ${id} (${name}) failed${failures > 1 ? ` ${failures} times` : ""}: ${why}.`;
    super(state === "cancelled" ? "task.cancelled" : "task.failed", sentence);
    this.task = id;
    this.state = state as "dead" | "cancelled";
  }
}

/** Why a task in this state cannot be tried again. */
const WHY_NOT_RETRIED = {
  waiting: "has not failed: it waits to begin",
  leased: "is just being tried: wait for its end, or cancel it first",
  succeeded: "has succeeded: enqueue it again",
} as const;

/** What a handle needs of its store. */
export interface HandleSource {
  store(): Promise<Store>;
  watcher(): Promise<Watcher>;
}

/**
 * A task or a flow in a store, which any process can follow, cancel or retry.
 *
 * @example
 * ```ts
 * const handle: TaskHandle = handleOf("0123456789abcdef");
 * if ((await handle.status())?.state === "dead") await handle.retry();
 * ```
 */
export class TaskHandle<R = unknown> {
  /** The id of the task or flow, by which any process can get a handle: `handleOf(id)`. */
  readonly id: string;
  /** False when the store had it already, because of its key or because it is unique. */
  readonly created: boolean;
  readonly #source: HandleSource;
  readonly #links: FlowLinks;

  /** For clients; programs get handles from `enqueue` and `handleOf`. `alone`: it is known not to be a flow. */
  constructor(id: string, source: HandleSource, created: boolean, alone: boolean) {
    this.id = id;
    this.created = created;
    this.#source = source;
    this.#links = new FlowLinks(id, alone);
  }

  /** Its state now; undefined when the store does not have it, or not any more. */
  async status(): Promise<TaskStatus | undefined> {
    const store = await this.#source.store();
    const records: Records = new Map(
      (await store.query({ ids: this.#links.ids() })).map((record) => [record.id, record]),
    );
    const record = this.#links.current(records);
    return record === undefined ? undefined : statusOf(record, this.#links);
  }

  /**
   * Waits for the result.
   *
   * @param options.timeout how long to wait. @default no limit
   * @param options.signal ends the wait; `result` rejects with its reason then
   * @throws TaskFailedError when there will not be a result
   * @throws PawlError `task.waited` when there was no result within `timeout` (the task continues), `task.unknown` when the store
   *   does not have the task, `task.damaged` when its result cannot be read
   * @example
   * ```ts
   * console.log(await handleOf<number>("0123456789abcdef").result({ timeout: "1m" }));
   * ```
   */
  async result(options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {}): Promise<R> {
    assertObject(options, "The options of result");
    const ms = optionalMilliseconds(options.timeout, "The timeout");
    const watcher = await this.#source.watcher();
    const over = await watcher.until(
      this.#links.ids,
      (records) => {
        const record = this.#known(records);
        return this.#links.isOver(record) ? record : undefined;
      },
      { ...(ms === undefined ? {} : { ms }), ...signalOf(options) },
    );
    if (over === undefined) {
      throw new PawlError(
        "task.waited",
        `Task ${this.id} had no result within ${durationText(ms ?? 0)}; the task itself continues.`,
      );
    }
    if (over.state !== "succeeded") throw new TaskFailedError(over);
    if (over.damaged !== undefined) throw new PawlError("task.damaged", `Task ${over.id}: ${over.damaged}`);
    return revived(over.result, metaOf(over.meta).resultGroups, () => this.#source.store()) as R;
  }

  /**
   * Its progress, as it is reported, until the task has ended or `signal` aborts. Of reports in quick succession some are left
   * out.
   *
   * @throws PawlError `task.unknown` when the store does not have the task
   * @example
   * ```ts
   * const handle = handleOf("0123456789abcdef");
   * for await (const { current, total, note } of handle.progress()) console.log(current, total, note);
   * ```
   */
  async *progress(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Progress, void, undefined> {
    const watcher = await this.#source.watcher();
    let seen = "null";
    for (;;) {
      const next = await this.#nextProgress(watcher, seen, options);
      if (next === undefined) return;
      if (next.text !== seen && next.progress !== null) yield next.progress;
      seen = next.text;
      if (next.over) return;
    }
  }

  /**
   * Cancels the task if it waits, and asks it to stop if it runs: its signal aborts, and a child that does not listen is
   * killed after two seconds. Of a flow, all tasks are cancelled.
   *
   * @returns false when there was nothing to cancel
   */
  async cancel(): Promise<boolean> {
    const store = await this.#source.store();
    const inFlow = await store.requestCancel({ flow: this.id, states: ["waiting", "leased"] });
    return inFlow > 0 || (await store.requestCancel({ ids: [this.id], states: ["waiting", "leased"] })) > 0;
  }

  /**
   * Tries a task again that failed for good or was cancelled; a flow continues from there. A task that waits for its next
   * attempt after a failure is tried now.
   *
   * @returns false when the store does not have the task, or another task has taken its unique key
   * @throws PawlError `task.not-failed` when there is nothing to try again, such as a task that still waits to begin
   */
  async retry(): Promise<boolean> {
    const store = await this.#source.store();
    const released =
      (await store.makeClaimable({ flow: this.id, states: ["dead", "cancelled"] })) ||
      (await store.makeClaimable({ ids: [this.id], states: ["dead", "cancelled"] }));
    if (released > 0) return true;
    const records = await store.query({ ids: this.#links.ids() });
    const current = this.#links.current(new Map(records.map((record) => [record.id, record])));
    if (current === undefined) return false;
    const { state, failures, due } = current;
    if (state === "waiting" && failures > 0 && due !== null) {
      return (await store.makeClaimable({ ids: [current.id], states: ["waiting"] })) > 0;
    }
    if (state === "dead" || state === "cancelled") return false;
    throw new PawlError(
      "task.not-failed",
      `Task ${current.id} (${current.name}) cannot be tried again, because it ${WHY_NOT_RETRIED[state]}.`,
    );
  }

  /** What comes after `seen`; undefined when the signal aborts before. */
  async #nextProgress(watcher: Watcher, seen: string, options: { readonly signal?: AbortSignal }) {
    try {
      return await watcher.until(
        this.#links.ids,
        (records) => {
          const record = this.#known(records);
          const progress = progressOf(record.progress);
          const text = JSON.stringify(progress);
          const over = this.#links.isOver(record);
          return over || text !== seen ? { progress, text, over } : undefined;
        },
        signalOf(options),
      );
    } catch (error) {
      if (options.signal?.aborted) return undefined;
      throw error;
    }
  }

  #known(records: Records): TaskRecord {
    const record = this.#links.current(records);
    if (record !== undefined) return record;
    throw new PawlError(
      "task.unknown",
      `The store has no task ${this.id}: it was never there, or its retention is over.`,
    );
  }
}

function signalOf({ signal }: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function statusOf(record: TaskRecord, links: FlowLinks): TaskStatus {
  const date = (instant: number | null) => (instant === null ? null : new Date(instant));
  // A link that succeeded has a successor, which is on its way to being read.
  const state = record.state === "succeeded" && !links.isOver(record) ? "waiting" : record.state;
  return {
    id: links.id,
    name: record.name,
    queue: record.queue,
    state,
    attempt: record.fence,
    failures: record.failures,
    crashes: record.crashes,
    progress: progressOf(record.progress),
    error: record.error,
    cancelRequested: record.cancelRequested,
    worker: record.worker,
    createdAt: new Date(record.createdAt),
    due: date(record.due),
    startedAt: date(record.startedAt),
    settledAt: date(record.settledAt),
  };
}

/** Links of a flow that are looked up at once. */
const BLOCK = 16;

/**
 * Which tasks tell how the task or flow `id` stands: itself, and the links `id:1`, `id:2` … before it, as far as they
 * are known to go.
 */
class FlowLinks {
  readonly id: string;
  #known: number;

  /** `alone`: it is known to be no flow. */
  constructor(id: string, alone: boolean) {
    this.id = id;
    this.#known = alone ? 0 : BLOCK;
  }

  readonly ids = (): string[] => [
    this.id,
    ...Array.from({ length: this.#known }, (_, n) => `${this.id}:${n + 1}`),
  ];

  /**
   * The record that tells how it stands: the one that failed, the end once it has begun, otherwise the link that is
   * under way. Undefined when nothing of it is stored.
   */
  current(records: Records): TaskRecord | undefined {
    const end = records.get(this.id);
    if (end !== undefined && end.flow !== this.id) {
      this.#known = 0;
      return end;
    }
    const links: TaskRecord[] = [];
    for (let n = 1; n <= this.#known; n++) {
      const link = records.get(`${this.id}:${n}`);
      if (link !== undefined) links.push(link);
    }
    if (this.#known > 0 && records.has(`${this.id}:${this.#known}`)) this.#known += BLOCK;
    const failed = links.find(({ state }) => state === "dead" || state === "cancelled");
    if (failed !== undefined) return failed;
    return end ?? links.at(-1);
  }

  /** It has ended, well or not. */
  isOver(record: TaskRecord): boolean {
    if (record.state === "dead" || record.state === "cancelled") return true;
    return record.state === "succeeded" && record.id === this.id;
  }
}

/** How far a task is, as its handler reported it. */
export interface Progress {
  /** How much is done, in a unit of the task's own. */
  readonly current: number;
  /** How much there is in all. */
  readonly total: number | null;
  /** What is being done, for people. */
  readonly note: string | null;
}

/** The progress in a record; null where there is none. */
export function progressOf(value: Json): Progress | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { current, total, note } = value as Record<string, Json>;
  if (typeof current !== "number") return null;
  return {
    current,
    total: typeof total === "number" ? total : null,
    note: typeof note === "string" ? note : null,
  };
}

export type Records = ReadonlyMap<string, TaskRecord>;

interface Entry {
  readonly ids: () => readonly string[];
  /** True when it has found what it waits for. */
  readonly find: (records: Records) => boolean;
  readonly failed: (error: unknown) => void;
  pause: number;
  due: number;
}

/** The first and the longest pause between two queries, where no notification comes. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** Queries take no more than a fifth of the time, however many notifications come. */
const SHARE = 4;
const SHORTEST_PAUSE_MS = 10;

const BATCH = 500;

/** Watches tasks for all handles of this process: one query for all of them, when the store notifies of changes. */
export class Watcher {
  readonly #store: TaskStore;
  readonly #entries = new Set<Entry>();
  readonly #wakeUp = new WakeUpSignal();
  #notified = false;
  #watching = false;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  /**
   * Polls until `find` returns something for the records of `ids`; undefined when `ms` milliseconds are over before.
   * Throws what `signal` aborts with.
   */
  async until<T>(
    ids: () => readonly string[],
    find: (records: Records) => T | undefined,
    { ms = Number.POSITIVE_INFINITY, signal }: { readonly ms?: number; readonly signal?: AbortSignal } = {},
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    const seen = Promise.withResolvers<T | undefined>();
    const aborted = () => seen.reject(signal?.reason);
    signal?.addEventListener("abort", aborted, { once: true });
    const entry: Entry = {
      ids,
      find: (records) => {
        try {
          const found = find(records);
          if (found !== undefined) seen.resolve(found);
          return found !== undefined;
        } catch (error) {
          seen.reject(error);
          return true;
        }
      },
      failed: seen.reject,
      pause: FIRST_PAUSE_MS,
      due: 0,
    };
    this.#entries.add(entry);
    this.#wakeUp.wake();
    if (!this.#watching) void this.#watch();
    const timer = ms <= LONGEST_TIMER_MS ? setTimeout(() => seen.resolve(undefined), ms) : undefined;
    try {
      return await seen.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      this.#entries.delete(entry);
      this.#wakeUp.wake();
    }
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    const stop = this.#store.onSettled(() => {
      this.#notified = true;
      this.#wakeUp.wake();
    });
    try {
      while (this.#entries.size > 0) {
        const began = performance.now();
        await this.#poll(began);
        const took = performance.now() - began;
        await sleep(Math.max(SHORTEST_PAUSE_MS, took * SHARE));
        let next = Number.POSITIVE_INFINITY;
        for (const { due } of this.#entries) next = Math.min(next, due);
        const pause = next - performance.now();
        if (pause > 0 && !this.#notified && this.#entries.size > 0)
          await this.#wakeUp.wait(Math.min(pause, LONGEST_PAUSE_MS));
      }
    } finally {
      this.#watching = false;
      stop();
    }
  }

  async #poll(now: number): Promise<void> {
    const notified = this.#notified;
    this.#notified = false;
    const entries = [...this.#entries].filter(({ due }) => notified || due <= now);
    const ids = [...new Set(entries.flatMap((entry) => entry.ids()))];
    try {
      const records = new Map<string, TaskRecord>();
      for (let at = 0; at < ids.length; at += BATCH) {
        for (const record of await this.#store.query({ ids: ids.slice(at, at + BATCH) })) {
          records.set(record.id, record);
        }
      }
      for (const entry of entries) {
        if (entry.find(records)) this.#entries.delete(entry);
        entry.due = performance.now() + entry.pause;
        entry.pause = Math.min(entry.pause * 1.5, LONGEST_PAUSE_MS);
      }
    } catch (error) {
      // A server that is away comes back; a store that this program closed does not.
      for (const entry of entries) {
        if (error instanceof PawlError && error.code === "store.closed") entry.failed(error);
        entry.due = performance.now() + LONGEST_PAUSE_MS;
      }
    }
  }
}
