import { setTimeout as sleep } from "node:timers/promises";
import { assertMethods, assertObject } from "../../arguments.ts";
import { PawlError, TransientError } from "../../errors.ts";
import type { ChangeRecord, Instant, Store, TaskState } from "../../store/contract.ts";
import { WakeUpSignal } from "../wake-up-signal.ts";

/** One change of the state of a task. */
export interface Change {
  /** Grows with each change of the store; the number to compare by, since two may have happened at the same time. */
  readonly number: number;
  /** When it happened, by the clock of the store. */
  readonly at: Date;
  /** The id of the task. */
  readonly task: string;
  /** The name of the task. */
  readonly name: string;
  /** The queue of the task. */
  readonly queue: string;
  /** The id of its flow; null where it belongs to none. */
  readonly flow: string | null;
  /** `leased` when an attempt begins; `waiting` when it was enqueued, and again before each further attempt. */
  readonly state: TaskState;
  /** The number of the attempt; 0 before the first. */
  readonly attempt: number;
}

/** Which changes are given. Without conditions, all changes of the store. */
export interface SubscribeOptions {
  /**
   * Only tasks of this queue.
   * @default all queues
   */
  readonly queue?: string;
  /**
   * Only tasks of this name.
   * @default all names
   */
  readonly name?: string;
  /**
   * Only tasks of the flow with this id.
   * @default all tasks
   */
  readonly flow?: string;
  /**
   * Only changes to these states.
   * @default all states
   */
  readonly states?: readonly TaskState[];
  /**
   * Ends the subscription, without an error.
   * @default it ends with the loop that reads it
   */
  readonly signal?: AbortSignal;
}

/** How long the store keeps changes after one request to keep them. */
const KEEP_MS = 120_000;
const RENEW_MS = 30_000;

/** The pause between two reads. A notification ends it; the beginning of an attempt sends none. */
const POLL_MS = 250;

/** The shortest pause between two reads, however many notifications come. */
const SHORTEST_MS = 10;

const PAGE = 500;

/**
 * The changes of tasks from now on, made by any process, in their order. A change is given once it is durable, at the latest
 * 250 ms after that. No change is left out: while there are subscribers the store keeps the changes of ten minutes, which
 * costs it a row for each change of any task.
 *
 * @throws PawlError `argument.methods` where `store` is not an open store; the loop throws `subscribe.missed` where the reader fell
 *   further behind, or the process was suspended for minutes
 * @example
 * ```ts
 * import { openStore } from "pawl/store";
 * await using store = await openStore(".pawl/store.db");
 * for await (const { task, state } of subscribe(store, { queue: "heavy" })) console.log(task, state);
 * ```
 */
export function subscribe(store: Store, options: SubscribeOptions = {}): Subscription {
  assertMethods(store, "changes", "subscribe needs an open store");
  assertObject(options, "The options of subscribe");
  return new Subscription(store, options);
}

/**
 * A stream of changes. It ends when the loop that reads it ends, or when its signal aborts.
 *
 * @example
 * ```ts
 * import { openStore } from "pawl/store";
 * await using store = await openStore(".pawl/store.db");
 * await using changes = subscribe(store, { states: ["dead"] });
 * await changes.ready;
 * for await (const { task } of changes) console.log(`${task} failed for good`);
 * ```
 */
export class Subscription implements AsyncIterableIterator<Change, undefined>, AsyncDisposable {
  /** Resolves when it has begun: every change from then on is given. */
  readonly ready: Promise<void>;
  readonly #changes: AsyncGenerator<Change, undefined>;
  readonly #end = new AbortController();

  /** For `subscribe`, which makes it. */
  constructor(store: Store, options: SubscribeOptions) {
    const { signal: outer } = options;
    if (outer !== undefined)
      assertMethods(outer, "throwIfAborted", "The signal of subscribe must be an AbortSignal");
    const own = this.#end.signal;
    const signal = outer === undefined ? own : AbortSignal.any([outer, own]);
    const recording = new Recording(store, signal);
    const begun = recording.begin();
    // The reader gets the error; here it must not count as unhandled.
    begun.catch(() => {});
    this.ready = begun.then(() => {});
    this.ready.catch(() => {});
    this.#changes = read(store, options, signal, recording, begun);
  }

  /** The next change, once there is one. */
  next(): Promise<IteratorResult<Change, undefined>> {
    return this.#changes.next();
  }

  /** Ends the subscription. */
  async return(): Promise<IteratorResult<Change, undefined>> {
    // First, because the generator may be waiting for a change.
    this.#end.abort();
    return await this.#changes.return(undefined);
  }

  /** The same stream: each change is given once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the subscription, as `await using` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** Asks the store to keep changes, also while they are not being read. */
class Recording {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  #until: Instant = 0;
  /** Why changes may be missing. */
  trouble: PawlError | undefined;

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /** The number of the latest change before it began. */
  async begin(): Promise<number> {
    if (this.#signal.aborted) return 0;
    await this.#renew();
    const { last } = await this.#store.changes(null, 1);
    this.#keep();
    return last;
  }

  async #renew(): Promise<void> {
    // Taken before the request: changes are kept at least this long from here on.
    const now = await this.#store.now();
    if (this.#until !== 0 && now > this.#until) {
      this.trouble ??= missed("this process or its store did not answer for minutes");
    }
    await this.#store.recordChanges(KEEP_MS);
    this.#until = now + KEEP_MS;
  }

  #keep(): void {
    if (this.#signal.aborted) return;
    // A store that is away is asked again; whether that took too long is decided by the store's clock.
    const timer = setInterval(() => void this.#renew().catch(() => {}), RENEW_MS).unref();
    this.#signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }
}

async function* read(
  store: Store,
  options: SubscribeOptions,
  signal: AbortSignal,
  recording: Recording,
  begun: Promise<number>,
): AsyncGenerator<Change, undefined> {
  let last = await begun;
  const wakeUp = new WakeUpSignal();
  const wake = () => wakeUp.wake();
  const stops = [store.onClaimable(wake), store.onSettled(wake)];
  signal.addEventListener("abort", wake);
  try {
    while (!signal.aborted) {
      const page = await changesAfter(store, last);
      if (recording.trouble !== undefined) throw recording.trouble;
      const [first] = page;
      // Numbers have no gaps, so one says that the store has cleaned up what was not fetched in time.
      if (first !== undefined && first.number > last + 1) throw missed("they were not read for ten minutes");
      for (const change of page) {
        last = change.number;
        if (!matches(change, options)) continue;
        yield toChange(change);
        if (signal.aborted) return undefined;
      }
      if (page.length === PAGE || signal.aborted) continue;
      await sleep(SHORTEST_MS);
      if (!signal.aborted) await wakeUp.wait(POLL_MS);
    }
  } finally {
    for (const stop of stops) stop();
    signal.removeEventListener("abort", wake);
  }
  return undefined;
}

/** An empty list where the store cannot be reached just now: the changes are there when it is back. */
async function changesAfter(store: Store, last: number): Promise<readonly ChangeRecord[]> {
  try {
    return (await store.changes(last, PAGE)).changes;
  } catch (error) {
    if (error instanceof TransientError) return [];
    throw error;
  }
}

function matches(change: ChangeRecord, { queue, name, flow, states }: SubscribeOptions): boolean {
  if (queue !== undefined && change.queue !== queue) return false;
  if (name !== undefined && change.name !== name) return false;
  if (flow !== undefined && change.flow !== flow) return false;
  return states === undefined || states.includes(change.state);
}

function toChange({ fence, at, ...rest }: ChangeRecord): Change {
  return { ...rest, at: new Date(at), attempt: fence };
}

function missed(why: string): PawlError {
  return new PawlError(
    "subscribe.missed",
    `Changes of tasks may have been missed because ${why}: read the state of the tasks, and subscribe again.`,
  );
}
