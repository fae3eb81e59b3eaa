import { PawlError } from "../../errors.ts";
import type { CallableReference } from "../callable.ts";
import { pack, unpack } from "../portable.ts";
import { type Host, startProcess, startThread } from "../worker/host.ts";
import { reviveError } from "../worker/remote-error.ts";
import { TimeLimitError } from "../worker/time-limit.ts";
import { ActorDiedError } from "./died.ts";
import { Fifo } from "./fifo.ts";
import type { ActorPlan } from "./options.ts";
import type { Order } from "./order.ts";
import type { ActorResults, ActorSetup, FromActor, ToActor } from "./protocol.ts";
import { Relay } from "./relay.ts";
import { unsendable } from "./up.ts";

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

/** Calls that a worker has at most; the others wait here, where its death does not touch them. */
const WINDOW = 256;
/** Before an actor that died without having done anything is started again, in milliseconds: twice as long each time. */
const FIRST_REST_MS = 50;
const LONGEST_REST_MS = 5000;
/** The longest time a timer can take. */
const LONGEST_MS = 2 ** 31 - 1;

/** Keeps one actor: its worker, the calls for it, its state, and what becomes of them when the worker dies. */
export class Keeper {
  state: KeeperState = "starting";
  readonly #origin: Origin;
  readonly #plan: ActorPlan;
  readonly #events: KeeperEvents;
  #host: Host<ToActor> | null = null;
  /** Makes the calls of other actors that this one asks for. */
  #relay: Relay | null = null;
  #held = false;
  readonly #queue = new Fifo<Order>();
  readonly #sent = new Map<number, Order>();
  #next = 0;
  #flushing = false;
  #saved: { readonly value: unknown } | null = null;
  #verdict: { readonly order: Order; readonly error: Error } | null = null;
  /** Why a worker could not begin. */
  #fault: unknown;
  #fruitless = 0;
  #rest: NodeJS.Timeout | null = null;
  /** Until a worker is ready. */
  #starting: NodeJS.Timeout | undefined;
  #restarts = 0;
  #calls = 0;
  #busyMs = 0;
  #ending = false;
  #closed: ((error: unknown) => void) | null = null;

  constructor(origin: Origin, plan: ActorPlan, events: KeeperEvents) {
    this.#origin = origin;
    this.#plan = plan;
    this.#events = events;
    this.#start();
  }

  /** Calls without a result. */
  get pending(): number {
    return this.#queue.length + this.#sent.size;
  }

  stats(): ActorStats {
    return {
      state: this.state,
      calls: this.#calls,
      pending: this.pending,
      busyMs: this.#busyMs,
      restarts: this.#restarts,
    };
  }

  add(order: Order): void {
    this.#queue.push(order);
    this.#hold();
    this.#flushSoon();
  }

  /** Withdraws a call that waits, and tells one that runs. False when it is not here. */
  abort(order: Order, reason: unknown): boolean {
    if (this.#sent.get(order.seq) === order) {
      this.#host?.post({ type: "abort", seq: order.seq, reason: String(reason) });
      return true;
    }
    if (this.#queue.take((each) => each === order) === undefined) return false;
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
      this.#host?.post({ type: "close" });
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
    this.#host?.hold(true);
    await this.#host?.kill();
  }

  #start(): void {
    const { name, reference, args } = this.#origin;
    const { isolate, maxConcurrency, maxRestarts, saveEvery, maxHeap } = this.#plan;
    try {
      const setup: ActorSetup = {
        actor: {
          name,
          reference,
          args: packAll(args, isolate),
          saved: this.#saved === null ? null : pack(this.#saved.value, isolate),
          maxConcurrency,
          saveEvery: maxRestarts === 0 ? 0 : saveEvery,
        },
      };
      const start = isolate === "thread" ? startThread : startProcess;
      const host: Host<ToActor> = start<ToActor, FromActor>(setup, maxHeap, (message) =>
        this.#hear(message, host),
      );
      this.#relay = new Relay(isolate, (message) => host.post(message));
      this.#host = host;
      this.#limitStart(host);
      void host.gone.then((why) => this.#over(host, why));
    } catch (error) {
      // Not in the constructor's own time, where nobody listens yet.
      queueMicrotask(() => this.#ended(unsendable(`the constructor of ${name}`, error)));
    }
    this.#held = true;
    this.#hold();
  }

  /** A worker that is not ready in time cannot begin, whatever it does. */
  #limitStart(host: Host<ToActor>): void {
    const { startTimeout } = this.#plan;
    if (startTimeout > LONGEST_MS) return;
    this.#starting = setTimeout(() => {
      const sentence = `The actor ${this.#origin.name} was not ready after ${startTimeout} ms: let its constructor end sooner, or give a longer startTimeout.`;
      this.#fault = new PawlError("pool.start-timeout", sentence);
      void host.kill();
    }, startTimeout);
  }

  #hear(message: FromActor, host: Host<ToActor>): void {
    if (host !== this.#host) return;
    switch (message.type) {
      case "ready":
        clearTimeout(this.#starting);
        this.state = "ready";
        this.#events.ready(this, message.methods);
        this.#hold();
        this.#flush();
        return;
      case "unready":
        this.#fault = reviveError(message.error);
        void host.kill();
        return;
      case "began":
        this.#watch(this.#sent.get(message.seq));
        return;
      case "results":
        this.#deliver(message);
        return;
      case "closed":
        this.#closed?.(message.error === null ? null : reviveError(message.error));
        return;
      case "ask":
      case "ask-abort":
        this.#relay?.take(message);
    }
  }

  #deliver({ seqs, values, packed, errors, busyMs, saved }: ActorResults): void {
    if (saved !== null) this.#saved = { value: saved.packed ? unpack(saved.value) : saved.value };
    this.#busyMs += busyMs;
    this.#fruitless = 0;
    const failed = errors.length === 0 ? null : new Map(errors);
    for (let at = 0; at < seqs.length; at++) {
      const seq = seqs[at] as number;
      const order = this.#sent.get(seq);
      if (order === undefined) continue;
      this.#sent.delete(seq);
      this.#calls++;
      const error = failed?.get(at);
      if (error !== undefined) order.reject(reviveError(error));
      else order.resolve(packed ? unpack(values[at]) : values[at]);
    }
    this.#hold();
    if (this.#sent.size <= WINDOW / 2) this.#flush();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Sends calls that wait, as many as the worker may have. */
  #flush(): void {
    while (this.state === "ready" && this.#queue.length > 0 && this.#sent.size < WINDOW) {
      const batch: Order[] = [];
      while (this.#sent.size + batch.length < WINDOW) {
        const order = this.#queue.shift();
        if (order === undefined) break;
        batch.push(order);
      }
      this.#send(batch);
    }
  }

  /** In one message; if one of them cannot be sent, each in its own. */
  #send(batch: readonly Order[]): void {
    try {
      let packed = false;
      const args = batch.map((order) => {
        if (order.args.length === 0) return order.args;
        const all = packAll(order.args, this.#plan.isolate);
        if (all.packed) packed = true;
        return all.value;
      });
      const first = this.#next;
      this.#host?.post({
        type: "calls",
        first,
        methods: batch.map(({ method }) => method),
        args,
        packed,
        watched: batch.flatMap((order, at) => (order.watched ? [first + at] : [])),
      });
      this.#next += batch.length;
      for (let at = 0; at < batch.length; at++) {
        const order = batch[at] as Order;
        order.seq = first + at;
        this.#sent.set(order.seq, order);
      }
    } catch (error) {
      const [only] = batch;
      if (batch.length > 1) for (const order of batch) this.#send([order]);
      else only?.reject(unsendable(`${this.#origin.name}.${only.method}`, error));
    }
  }

  /** Its time runs from now on. */
  #watch(order: Order | undefined): void {
    const limit = order?.limit;
    if (order === undefined || limit === null || limit === undefined) return;
    const { soft, hard } = limit;
    if (soft === undefined || soft >= hard) {
      this.#killAfter(order, hard, hard);
      return;
    }
    order.timer = setTimeout(
      () => {
        this.abort(order, `its time of ${soft} ms is over`);
        this.#killAfter(order, hard - soft, hard);
      },
      Math.min(soft, LONGEST_MS),
    );
  }

  #killAfter(order: Order, ms: number, hard: number): void {
    order.timer = setTimeout(
      () => {
        // Its result may have come while this thread was busy: look at what is there first.
        setImmediate(() => {
          if (this.#sent.get(order.seq) !== order) return;
          const sentence = `${this.#origin.name}.${order.method} ran longer than ${hard} ms; its worker was ended.`;
          this.#verdict ??= { order, error: new TimeLimitError("pool.timeout", sentence) };
          void this.#host?.kill();
        });
      },
      Math.min(ms, LONGEST_MS),
    );
  }

  /** The worker is gone: calls that ran fail, the others wait for the next one. */
  #over(host: Host<ToActor>, why: string): void {
    const begun = host.marker.read()?.index ?? -1;
    host.marker.close();
    if (host !== this.#host) return;
    clearTimeout(this.#starting);
    const { name } = this.#origin;
    const waiting: Order[] = [];
    const verdict = this.#verdict;
    this.#verdict = null;
    for (const order of this.#sent.values()) {
      if (order.seq > begun) {
        order.seq = -1;
        waiting.push(order);
        continue;
      }
      const sentence = `The actor ${name} died while it ran ${order.method}: ${why}.`;
      order.reject(
        verdict?.order === order ? verdict.error : new ActorDiedError("pool.actor-died", sentence),
      );
    }
    this.#sent.clear();
    this.#next = 0;
    this.#queue.pushFront(waiting);
    this.#host = null;
    this.#closed?.(null);
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault === undefined)
      this.#ended(new ActorDiedError("pool.actor-died", `The actor ${name} died: ${why}.`));
    else this.#ended(this.state === "starting" ? fault : notAgain(name, fault));
  }

  /** Starts it again where that is allowed. */
  #ended(error: unknown): void {
    if (this.#ending || this.state === "starting" || this.#restarts >= this.#plan.maxRestarts) {
      this.#die(error);
      return;
    }
    this.state = "restarting";
    this.#restarts++;
    this.#queue.pushFront(this.#events.stranded(this, this.#queue.drain()));
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
    const left = [...this.#sent.values(), ...this.#queue.drain()];
    this.#sent.clear();
    for (const order of this.#events.stranded(this, left)) order.reject(error);
  }

  /** The program may end when nobody waits for anything. */
  #hold(): void {
    const held = this.pending > 0 || this.state === "starting" || this.#ending;
    if (this.#rest !== null) {
      if (held) this.#rest.ref();
      else this.#rest.unref();
    }
    if (held === this.#held) return;
    this.#held = held;
    this.#host?.hold(held);
  }
}

function packAll(
  values: readonly unknown[],
  isolation: ActorPlan["isolate"],
): { value: unknown[]; packed: boolean } {
  let packed = false;
  const value = values.map((each) => {
    const one = pack(each, isolation);
    if (one.packed) packed = true;
    return one.value;
  });
  return { value, packed };
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
