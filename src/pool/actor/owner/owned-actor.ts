import { randomUUID } from "node:crypto";
import { PawlError } from "../../../errors.ts";
import { limitFrom } from "../../options.ts";
import { terminated, tooManyPending } from "../errors.ts";
import type { ActorTarget } from "../handle.ts";
import type { ActorCallOptions, ActorSettings } from "../options.ts";
import { registerActor, unregisterActor } from "../remote/actor-registry.ts";
import { ActorCall } from "./call.ts";
import { type ActorOrigin, type ActorStats, Supervisor } from "./supervisor.ts";

/** An actor that this thread made: one worker, or several replicas that share the calls. */
export class OwnedActor implements ActorTarget {
  readonly id = randomUUID();
  readonly name: string;
  methods: readonly string[] = [];
  readonly maxPending: number;
  readonly #settings: ActorSettings;
  readonly #supervisors: readonly Supervisor[];
  /** Resolves when all replicas are ready; rejects when one cannot begin. */
  readonly started: Promise<void>;
  #turn = 0;
  #pending = 0;
  #closed = false;
  #dead: unknown;
  /** Wait for room, or for no call to be left. */
  #waiting: { readonly below: number; readonly resolve: () => void }[] = [];

  constructor(origin: ActorOrigin, replicas: number, settings: ActorSettings) {
    this.name = origin.name;
    this.maxPending = settings.maxPending;
    this.#settings = settings;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.started = promise;
    let starting = replicas;
    const begun = new Set<Supervisor>();
    this.#supervisors = Array.from(
      { length: replicas },
      () =>
        new Supervisor(origin, settings, {
          ready: (supervisor, methods) => {
            this.methods = methods;
            if (!begun.has(supervisor) && --starting === 0) resolve();
            begun.add(supervisor);
          },
          requeued: (supervisor, calls) => this.#reroute(supervisor, calls),
          dead: (_supervisor, error) => {
            this.#dead = error;
            reject(error);
            if (this.#supervisors.every(({ state }) => state === "dead")) unregisterActor(this);
          },
        }),
    );
    registerActor(this);
  }

  call(method: string, args: readonly unknown[], options: ActorCallOptions): Promise<unknown> {
    const error = this.#refusal(method, options);
    if (error !== null) return Promise.reject(error);
    const supervisor = this.#route();
    if (supervisor === null) return Promise.reject(this.#dead);
    const { timeout = this.#settings.timeout, signal } = options;
    const limit = limitFrom(timeout);
    this.#pending++;
    const abort = () => this.#supervisors.some((each) => each.abort(call, signal?.reason));
    const call = new ActorCall(method, args, limit, signal, () => {
      signal?.removeEventListener("abort", abort);
      this.#settled();
    });
    signal?.addEventListener("abort", abort, { once: true });
    supervisor.add(call);
    return call.result;
  }

  stats(): ActorStats[] {
    return this.#supervisors.map((supervisor) => supervisor.stats());
  }

  /** Resolves when one more call would not be one too many. */
  room(): Promise<void> {
    return this.#until(this.maxPending);
  }

  /** Takes no more calls, waits for those there are, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#until(1);
    unregisterActor(this);
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.close()));
  }

  /** Ends the workers now. Calls without a result fail with `pool.actor-terminated`. */
  async terminate(): Promise<void> {
    this.#closed = true;
    unregisterActor(this);
    const error = terminated(this.name);
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.kill(error)));
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

  /** The replica for the next call: one that is ready, or where none is, one that will be. */
  #route(): Supervisor | null {
    if (this.#supervisors.length === 1) return this.#among(({ state }) => state !== "dead");
    return this.#among(({ state }) => state === "ready") ?? this.#among(({ state }) => state !== "dead");
  }

  #among(isMeant: (supervisor: Supervisor) => boolean): Supervisor | null {
    const count = this.#supervisors.length;
    let chosen: Supervisor | null = null;
    let at = 0;
    for (let step = 0; step < count; step++) {
      const index = (this.#turn + step) % count;
      const supervisor = this.#supervisors[index] as Supervisor;
      if (!isMeant(supervisor) || (chosen !== null && supervisor.pending >= chosen.pending)) continue;
      chosen = supervisor;
      at = index;
      if (this.#settings.route === "roundRobin") break;
    }
    if (chosen !== null) this.#turn = (at + 1) % count;
    return chosen;
  }

  /** Calls that one replica did not begin go to the others, if any is at work. Returns those for which none is. */
  #reroute(from: Supervisor, calls: readonly ActorCall[]): readonly ActorCall[] {
    // An actor that is being ended has no other replica to give them to.
    if (this.#closed && this.#pending === 0) return calls;
    const left: ActorCall[] = [];
    for (const call of calls) {
      const other = this.#among((supervisor) => supervisor !== from && supervisor.state === "ready");
      if (other === null) left.push(call);
      else other.add(call);
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
