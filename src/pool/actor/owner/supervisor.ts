import { type Backoff, backoffDelay } from "../../../retry.ts";
import type { CallableReference } from "../../callable/callable.ts";
import { ActorDiedError, TimeLimitError } from "../../errors.ts";
import { pack, packAll, unpack } from "../../transfer/pack.ts";
import { monotonicMs } from "../../worker/marker.ts";
import { TimeLimitTimer } from "../../worker/time-limit.ts";
import { notAgain, unsendable } from "../errors.ts";
import type { ActorSettings } from "../options.ts";
import type { ActorResults, ActorSetup } from "../protocol.ts";
import { ActorWorker, type ActorWorkerEvents, type WorkerEnd } from "./actor-worker.ts";
import type { ActorCall } from "./call.ts";
import { CallQueue } from "./call-queue.ts";

/** What an actor is made of. */
export interface ActorOrigin {
  readonly name: string;
  readonly reference: CallableReference;
  readonly args: readonly unknown[];
}

/** What a supervisor tells of its actor. */
export interface SupervisorEvents {
  /** It is ready for calls, for the first time or again. */
  ready(supervisor: Supervisor, methods: readonly string[]): void;
  /** Its worker has died, or could not begin; these calls had not begun. Those that come back are to wait for its restart. */
  requeued(supervisor: Supervisor, calls: readonly ActorCall[]): readonly ActorCall[];
  /** It is not started again. */
  dead(supervisor: Supervisor, error: unknown): void;
}

/** One actor in numbers. */
export interface ActorStats {
  /** Whether it takes calls at once (`ready`), as soon as its worker has started, or no more (`dead`). */
  readonly state: SupervisorState;
  /** Calls that have ended, well or not. */
  readonly calls: number;
  /** Calls without a result. */
  readonly pending: number;
  /** Milliseconds in which at least one call ran. */
  readonly busyMs: number;
  /** How often it was started again after its worker had died. */
  readonly restarts: number;
}

/** What an actor can be in. */
export type SupervisorState = "starting" | "ready" | "restarting" | "dead";

/** Before an actor that died without having done anything is started again. */
const RESTART_BACKOFF: Backoff = { baseMs: 50, capMs: 5000, jitter: "equal" };

/** Keeps one actor: its worker, the calls for it, its state, and what becomes of them when the worker dies. */
export class Supervisor {
  state: SupervisorState = "starting";
  readonly #origin: ActorOrigin;
  readonly #settings: ActorSettings;
  readonly #events: SupervisorEvents;
  readonly #calls: CallQueue;
  #worker: ActorWorker | null = null;
  #saved: { readonly value: unknown } | null = null;
  #blamed: { readonly call: ActorCall; readonly error: Error } | null = null;
  #startFailures = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  #restarts = 0;
  #busyMs = 0;
  #ending = false;
  #closed: ((error: unknown) => void) | null = null;

  constructor(origin: ActorOrigin, settings: ActorSettings, events: SupervisorEvents) {
    this.#origin = origin;
    this.#settings = settings;
    this.#events = events;
    this.#calls = new CallQueue(origin.name, settings.isolation);
    this.#start();
  }

  /** Calls without a result. */
  get pending(): number {
    return this.#calls.length;
  }

  stats(): ActorStats {
    return {
      state: this.state,
      calls: this.#calls.ended,
      pending: this.pending,
      busyMs: this.#busyMs,
      restarts: this.#restarts,
    };
  }

  add(call: ActorCall): void {
    this.#calls.add(call);
    this.#hold();
  }

  /** Withdraws a call that waits, and tells one that runs. False when it is not here. */
  abort(call: ActorCall, reason: unknown): boolean {
    if (this.#isSent(call)) {
      call.aborted ??= { reason };
      this.#worker?.post({ type: "abort", seq: call.seq, reason: String(reason) });
      return true;
    }
    if (!this.#calls.withdraw(call)) return false;
    call.reject(reason);
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
      // Not within the constructor, when the owner does not listen yet.
      queueMicrotask(() => this.#ended(unsendable(`the constructor of ${name}`, error)));
    }
    this.#hold();
  }

  readonly #workerEvents: ActorWorkerEvents = {
    ready: (methods) => {
      this.state = "ready";
      this.#events.ready(this, methods);
      this.#hold();
      this.#calls.open((calls) => this.#worker?.post(calls));
    },
    began: (seq) => this.#begun(this.#calls.sent(seq)),
    results: (results) => this.#deliver(results),
    closed: (error) => this.#closed?.(error),
    gone: (end) => this.#over(end),
  };

  #deliver(results: ActorResults): void {
    const { saved, busyMs } = results;
    if (saved !== null) this.#saved = { value: unpack(saved) };
    this.#busyMs += busyMs;
    this.#startFailures = 0;
    this.#calls.deliver(results);
    this.#hold();
  }

  #isSent(call: ActorCall): boolean {
    return this.#calls.sent(call.seq) === call;
  }

  /** Its time runs from now on. */
  #begun(call: ActorCall | undefined): void {
    if (call === undefined || call.limit === null) return;
    const running = { index: call.seq, since: monotonicMs() };
    call.timer = new TimeLimitTimer(call.limit, {
      running: () => running,
      isAborted: () => call.aborted !== null,
      abort: (_seq, reason) => this.abort(call, reason),
      // Its result may have come while this thread was busy: look at what is there first.
      kill: (_seq, hardMs) => void setImmediate(() => this.#killOver(call, hardMs)),
    });
  }

  #killOver(call: ActorCall, hardMs: number): void {
    if (!this.#isSent(call)) return;
    const sentence = `${this.#origin.name}.${call.method} ran longer than ${hardMs} ms; its worker was ended.`;
    this.#blamed ??= { call, error: new TimeLimitError("pool.timeout", sentence) };
    void this.#worker?.kill();
  }

  /** The worker is gone: calls that ran fail, the others wait for the next one. */
  #over({ why, begun, fault }: WorkerEnd): void {
    const { name } = this.#origin;
    const blamed = this.#blamed;
    this.#blamed = null;
    this.#calls.workerGone(begun, (call) => {
      if (blamed?.call === call) return blamed.error;
      const sentence = `The actor ${name} died while it ran ${call.method}: ${why}.`;
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
    this.#calls.putBack(this.#events.requeued(this, this.#calls.drain()));
    const failures = this.#startFailures++;
    if (failures === 0) {
      this.#start();
      return;
    }
    this.#restartTimer = setTimeout(
      () => {
        this.#restartTimer = null;
        this.#start();
      },
      backoffDelay(failures, RESTART_BACKOFF),
    );
    this.#hold();
  }

  #die(error: unknown): void {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    this.#restartTimer = null;
    if (this.state !== "dead") {
      this.state = "dead";
      this.#saved = null;
      this.#events.dead(this, error);
    }
    for (const call of this.#events.requeued(this, this.#calls.drain())) call.reject(error);
  }

  /** The program may end while no call waits for a result. */
  #hold(): void {
    const held = this.pending > 0 || this.state === "starting" || this.#ending;
    if (this.#restartTimer !== null) {
      if (held) this.#restartTimer.ref();
      else this.#restartTimer.unref();
    }
    this.#worker?.hold(held);
  }
}
