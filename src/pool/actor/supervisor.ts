import { PawlError } from "../../errors.ts";
import { after } from "../../timers.ts";
import type { CallableReference } from "../callable/callable.ts";
import { ActorDiedError, TimeLimitError } from "../errors.ts";
import type { LimitMs } from "../options.ts";
import { pack, packAll, unpack } from "../transfer/portable.ts";
import { ActorWorker, type ActorWorkerEvents, type WorkerEnd } from "./actor-worker.ts";
import type { Order } from "./call.ts";
import { Outbox } from "./call-queue.ts";
import type { ActorSettings } from "./options.ts";
import { unsendable } from "./parent-calls.ts";
import type { ActorResults, ActorSetup } from "./protocol.ts";

/** What an actor is made of. */
export interface Origin {
  readonly name: string;
  readonly reference: CallableReference;
  readonly args: readonly unknown[];
}

/** What a keeper tells of its actor. */
export interface KeeperEvents {
  /** It is ready for calls, for the first time or again. */
  ready(keeper: Keeper, methods: readonly string[]): void;
  /** Its worker has died, or could not begin; these calls had not begun. Those that come back are to wait for its restart. */
  stranded(keeper: Keeper, orders: readonly Order[]): readonly Order[];
  /** It is not started again. */
  dead(keeper: Keeper, error: unknown): void;
}

/** One actor in numbers. */
export interface ActorStats {
  readonly state: KeeperState;
  /** Calls that have ended, well or not. */
  readonly calls: number;
  /** Calls without a result. */
  readonly pending: number;
  /** Milliseconds in which at least one call ran. */
  readonly busyMs: number;
  readonly restarts: number;
}

export type KeeperState = "starting" | "ready" | "restarting" | "dead";

/** Before an actor that died without having done anything is started again, in milliseconds: twice as long each time. */
const FIRST_REST_MS = 50;
const LONGEST_REST_MS = 5000;

/** Keeps one actor: its worker, the calls for it, its state, and what becomes of them when the worker dies. */
export class Keeper {
  state: KeeperState = "starting";
  readonly #origin: Origin;
  readonly #settings: ActorSettings;
  readonly #events: KeeperEvents;
  readonly #outbox: Outbox;
  #worker: ActorWorker | null = null;
  #saved: { readonly value: unknown } | null = null;
  #verdict: { readonly order: Order; readonly error: Error } | null = null;
  #fruitless = 0;
  #rest: NodeJS.Timeout | null = null;
  #restarts = 0;
  #busyMs = 0;
  #ending = false;
  #closed: ((error: unknown) => void) | null = null;

  constructor(origin: Origin, settings: ActorSettings, events: KeeperEvents) {
    this.#origin = origin;
    this.#settings = settings;
    this.#events = events;
    this.#outbox = new Outbox(origin.name, settings.isolation);
    this.#start();
  }

  /** Calls without a result. */
  get pending(): number {
    return this.#outbox.length;
  }

  stats(): ActorStats {
    return {
      state: this.state,
      calls: this.#outbox.ended,
      pending: this.pending,
      busyMs: this.#busyMs,
      restarts: this.#restarts,
    };
  }

  add(order: Order): void {
    this.#outbox.add(order);
    this.#hold();
  }

  /** Withdraws a call that waits, and tells one that runs. False when it is not here. */
  abort(order: Order, reason: unknown): boolean {
    if (this.#isSent(order)) {
      order.aborted ??= { reason };
      this.#worker?.post({ type: "abort", seq: order.seq, reason: String(reason) });
      return true;
    }
    if (!this.#outbox.withdraw(order)) return false;
    order.reject(reason);
    this.#hold();
    return true;
  }

  /** Has the object end what it holds, once no call is left, and ends the worker. Throws what that threw. */
  async close(): Promise<void> {
    if (this.state === "ready") {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      this.#closed = resolve;
      this.#ending = true;
      this.#hold();
      this.#worker?.post({ type: "close" });
      const error = await promise;
      await this.kill();
      if (error !== null) throw error;
    } else await this.kill();
  }

  /** Ends the worker now. Calls that are left fail with the error. */
  async kill(error?: unknown): Promise<void> {
    this.#ending = true;
    this.#die(error);
    // The program must not end while this waits.
    this.#worker?.hold(true);
    await this.#worker?.kill();
  }

  #start(): void {
    const { name, reference, args } = this.#origin;
    const { isolation, concurrency, maxRestarts, saveEvery } = this.#settings;
    try {
      const setup: ActorSetup = {
        actor: {
          name,
          reference,
          args: packAll(args, isolation),
          saved: this.#saved === null ? null : pack(this.#saved.value, isolation),
          concurrency,
          saveEvery: maxRestarts === 0 ? 0 : saveEvery,
        },
      };
      this.#worker = new ActorWorker(setup, this.#settings, this.#workerEvents);
    } catch (error) {
      // Not in the constructor's own time, where nobody listens yet.
      queueMicrotask(() => this.#ended(unsendable(`the constructor of ${name}`, error)));
    }
    this.#hold();
  }

  readonly #workerEvents: ActorWorkerEvents = {
    ready: (methods) => {
      this.state = "ready";
      this.#events.ready(this, methods);
      this.#hold();
      this.#outbox.open((calls) => this.#worker?.post(calls));
    },
    began: (seq) => this.#begun(this.#outbox.sent(seq)),
    results: (results) => this.#deliver(results),
    closed: (error) => this.#closed?.(error),
    gone: (end) => this.#over(end),
  };

  #deliver(results: ActorResults): void {
    const { saved, busyMs } = results;
    if (saved !== null) this.#saved = { value: unpack(saved) };
    this.#busyMs += busyMs;
    this.#fruitless = 0;
    this.#outbox.deliver(results);
    this.#hold();
  }

  #isSent(order: Order): boolean {
    return this.#outbox.sent(order.seq) === order;
  }

  /** Its time runs from now on. */
  #begun(order: Order | undefined): void {
    if (order === undefined || order.limit === null) return;
    watchTime(order, order.limit, {
      abort: (reason) => this.abort(order, reason),
      kill: (hard) => {
        if (!this.#isSent(order)) return;
        const sentence = `${this.#origin.name}.${order.method} ran longer than ${hard} ms; its worker was ended.`;
        this.#verdict ??= { order, error: new TimeLimitError("pool.timeout", sentence) };
        void this.#worker?.kill();
      },
    });
  }

  /** The worker is gone: calls that ran fail, the others wait for the next one. */
  #over({ why, begun, fault }: WorkerEnd): void {
    const { name } = this.#origin;
    const verdict = this.#verdict;
    this.#verdict = null;
    this.#outbox.strand(begun, (order) => {
      if (verdict?.order === order) return verdict.error;
      const sentence = `The actor ${name} died while it ran ${order.method}: ${why}.`;
      return new ActorDiedError("pool.actor-died", sentence);
    });
    this.#worker = null;
    this.#closed?.(null);
    if (fault === undefined)
      this.#ended(new ActorDiedError("pool.actor-died", `The actor ${name} died: ${why}.`));
    else this.#ended(this.state === "starting" ? fault : notAgain(name, fault));
  }

  /** Starts it again where that is allowed. */
  #ended(error: unknown): void {
    if (this.#ending || this.state === "starting" || this.#restarts >= this.#settings.maxRestarts) {
      this.#die(error);
      return;
    }
    this.state = "restarting";
    this.#restarts++;
    this.#outbox.putBack(this.#events.stranded(this, this.#outbox.drain()));
    const fruitless = this.#fruitless++;
    if (fruitless === 0) {
      this.#start();
      return;
    }
    this.#rest = setTimeout(
      () => {
        this.#rest = null;
        this.#start();
      },
      Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (fruitless - 1)),
    );
    this.#hold();
  }

  #die(error: unknown): void {
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#rest = null;
    if (this.state !== "dead") {
      this.state = "dead";
      this.#saved = null;
      this.#events.dead(this, error);
    }
    for (const order of this.#events.stranded(this, this.#outbox.drain())) order.reject(error);
  }

  /** The program may end when nobody waits for anything. */
  #hold(): void {
    const held = this.pending > 0 || this.state === "starting" || this.#ending;
    if (this.#rest !== null) {
      if (held) this.#rest.ref();
      else this.#rest.unref();
    }
    this.#worker?.hold(held);
  }
}

function notAgain(name: string, cause: unknown): ActorDiedError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const sentence = `The actor ${name} died and cannot begin again: ${why.replace(/\.$/, "")}.`;
  return new ActorDiedError("pool.actor-died", sentence, { cause });
}

/** The error of calls that nobody will make any more. */
export function terminated(name: string): PawlError {
  return new PawlError(
    "pool.actor-terminated",
    `The actor ${name} was ended before this call had its result.`,
  );
}

/** What becomes of a call whose time is over. */
export interface TimeEvents {
  /** It is asked to end. */
  abort(reason: string): void;
  /** It has run for `hard` milliseconds. Its result may have come meanwhile. */
  kill(hard: number): void;
}

/** Lets the time of a call run from now until it has a result. */
function watchTime(order: Order, { soft, hard }: LimitMs, events: TimeEvents): void {
  const killAfter = (ms: number) => {
    order.timer = after(ms, () => {
      // Its result may have come while this thread was busy: look at what is there first.
      setImmediate(() => events.kill(hard));
    });
  };
  if (soft === undefined || soft >= hard) {
    killAfter(hard);
    return;
  }
  order.timer = after(soft, () => {
    events.abort(`its time of ${soft} ms is over`);
    killAfter(hard - soft);
  });
}
