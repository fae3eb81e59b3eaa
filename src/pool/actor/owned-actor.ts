import { randomUUID } from "node:crypto";
import { PawlError } from "../../errors.ts";
import { limitFrom } from "../options.ts";
import { Order } from "./call.ts";
import type { ActorSettings } from "./options.ts";
import { tooManyPending } from "./parent-calls.ts";
import { type ActorStats, Keeper, type Origin, terminated } from "./supervisor.ts";
import { type ActorCallOptions, type Callee, disown, own } from "./target.ts";

/** An actor that this thread made: one worker, or several replicas that share the calls. */
export class OwnedActor implements Callee {
  readonly id = randomUUID();
  readonly name: string;
  methods: readonly string[] = [];
  readonly maxPending: number;
  readonly #settings: ActorSettings;
  readonly #keepers: readonly Keeper[];
  /** Resolves when all replicas are ready; rejects when one cannot begin. */
  readonly started: Promise<void>;
  #turn = 0;
  #pending = 0;
  #closed = false;
  #dead: unknown;
  /** Wait for room, or for no call to be left. */
  #waiting: { readonly below: number; readonly resolve: () => void }[] = [];

  constructor(origin: Origin, replicas: number, settings: ActorSettings) {
    this.name = origin.name;
    this.maxPending = settings.maxPending;
    this.#settings = settings;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.started = promise;
    let starting = replicas;
    const begun = new Set<Keeper>();
    this.#keepers = Array.from(
      { length: replicas },
      () =>
        new Keeper(origin, settings, {
          ready: (keeper, methods) => {
            this.methods = methods;
            if (!begun.has(keeper) && --starting === 0) resolve();
            begun.add(keeper);
          },
          stranded: (keeper, orders) => this.#reroute(keeper, orders),
          dead: (_keeper, error) => {
            this.#dead = error;
            reject(error);
            if (this.#keepers.every(({ state }) => state === "dead")) disown(this);
          },
        }),
    );
    own(this);
  }

  call(method: string, args: readonly unknown[], options: ActorCallOptions): Promise<unknown> {
    const error = this.#refusal(method, options);
    if (error !== null) return Promise.reject(error);
    const keeper = this.#route();
    if (keeper === null) return Promise.reject(this.#dead);
    const { timeout = this.#settings.timeout, signal } = options;
    const limit = limitFrom(timeout);
    this.#pending++;
    const abort = () => this.#keepers.some((each) => each.abort(order, signal?.reason));
    const order = new Order(method, args, limit, signal, () => {
      signal?.removeEventListener("abort", abort);
      this.#settled();
    });
    signal?.addEventListener("abort", abort, { once: true });
    keeper.add(order);
    return order.result;
  }

  stats(): ActorStats[] {
    return this.#keepers.map((keeper) => keeper.stats());
  }

  /** Resolves when one more call would not be one too many. */
  room(): Promise<void> {
    return this.#until(this.maxPending);
  }

  /** Takes no more calls, waits for those there are, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#until(1);
    disown(this);
    await Promise.all(this.#keepers.map((keeper) => keeper.close()));
  }

  /** Ends the workers now. Calls without a result fail with `pool.actor-terminated`. */
  async terminate(): Promise<void> {
    this.#closed = true;
    disown(this);
    const error = terminated(this.name);
    await Promise.all(this.#keepers.map((keeper) => keeper.kill(error)));
  }

  dispose(): Promise<void> {
    return this.terminate();
  }

  #refusal(method: string, { signal }: ActorCallOptions): unknown {
    if (this.#closed) {
      return new PawlError("pool.actor-closed", `The actor ${this.name} is closed and takes no more calls.`);
    }
    if (signal?.aborted) return signal.reason;
    if (this.#pending >= this.maxPending) return tooManyPending(this.name, this.maxPending);
    // From another thread anything may come.
    if (!this.methods.includes(method)) {
      return new PawlError("pool.actor-method", `The actor ${this.name} has no method ${method}.`);
    }
    return null;
  }

  /** Among those that are ready, or if none is, those that will be. */
  #route(): Keeper | null {
    if (this.#keepers.length === 1) return this.#among(({ state }) => state !== "dead");
    return this.#among(({ state }) => state === "ready") ?? this.#among(({ state }) => state !== "dead");
  }

  #among(isMeant: (keeper: Keeper) => boolean): Keeper | null {
    const count = this.#keepers.length;
    let chosen: Keeper | null = null;
    let at = 0;
    for (let step = 0; step < count; step++) {
      const index = (this.#turn + step) % count;
      const keeper = this.#keepers[index] as Keeper;
      if (!isMeant(keeper) || (chosen !== null && keeper.pending >= chosen.pending)) continue;
      chosen = keeper;
      at = index;
      if (this.#settings.route === "roundRobin") break;
    }
    if (chosen !== null) this.#turn = (at + 1) % count;
    return chosen;
  }

  /** Calls that one replica did not begin go to the others, if any is at work. Returns those for which none is. */
  #reroute(from: Keeper, orders: readonly Order[]): readonly Order[] {
    // Those of an actor that is being ended are nobody's any more.
    if (this.#closed && this.#pending === 0) return orders;
    const left: Order[] = [];
    for (const order of orders) {
      const other = this.#among((keeper) => keeper !== from && keeper.state === "ready");
      if (other === null) left.push(order);
      else other.add(order);
    }
    return left;
  }

  #settled(): void {
    this.#pending--;
    if (this.#waiting.length === 0) return;
    const woken = this.#waiting.filter(({ below }) => this.#pending < below);
    if (woken.length === 0) return;
    this.#waiting = this.#waiting.filter(({ below }) => this.#pending >= below);
    for (const { resolve } of woken) resolve();
  }

  #until(below: number): Promise<void> {
    if (this.#pending < below) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ below, resolve });
    return promise;
  }
}
