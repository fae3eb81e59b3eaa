import { AsyncLocalStorage } from "node:async_hooks";
import type { Client } from "../client/client.ts";
import { StrayError } from "./errors.ts";

/** The signal of an attempt, made when it is first asked for, and the way to abort it. */
export type Stop = Pick<AbortController, "signal" | "abort">;

/** What went wrong where nothing waits for it: an unhandled rejection, or an error in a callback. */
export interface Stray {
  readonly error: unknown;
  /** The callback that threw may be the one that an attempt waits for. */
  readonly wasCallback: boolean;
}

/** What belongs to one attempt and is found by whatever it begins. */
export interface Scope {
  /** The store of its worker. */
  readonly client: Client;
  /** Told of its strays. */
  heard(stray: Stray): void;
}

/** One for all that is asked: each time that code is run in a context costs a copy of all there are. */
const current = new AsyncLocalStorage<Scope>();

/** How many watch; the process is listened to while there is one. */
let watching = 0;

/** Runs code within an attempt: its strays, and those of whatever it begins, are told to `scope` while strays are watched. */
export function withinScope<T>(scope: Scope, code: () => T): T {
  return current.run(scope, code);
}

/** The attempt that the running code belongs to. */
export function currentScope(): Scope | undefined {
  return current.getStore();
}

/**
 * Catches the strays of attempts, so that one task's mistake does not end the process in which others run. A stray of
 * no attempt ends the process as ever. Returns the way to stop.
 */
export function watchStrays(): () => void {
  if (watching++ === 0) {
    process.on("unhandledRejection", onRejection);
    process.on("uncaughtException", onException);
  }
  let stopped = false;
  return () => {
    if (stopped) return;
    stopped = true;
    if (--watching === 0) stopListening();
  };
}

function stopListening(): void {
  process.off("unhandledRejection", onRejection);
  process.off("uncaughtException", onException);
}

function onRejection(error: unknown): void {
  const scope = current.getStore();
  if (scope !== undefined) scope.heard({ error, wasCallback: false });
  // Another listener decides; without one, it is an uncaught exception.
  else if (process.listenerCount("unhandledRejection") === 1) throw error;
}

function onException(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  const scope = origin === "uncaughtException" ? current.getStore() : undefined;
  if (scope !== undefined) scope.heard({ error, wasCallback: true });
  else if (process.listenerCount("uncaughtException") === 1) {
    // Thrown once more when there is no listener, so that the process ends as it does without a worker.
    stopListening();
    setImmediate(() => {
      throw error;
    });
  }
}

/** Of an attempt whose callback threw: so long may it take to end by itself, since it may wait for that callback. */
const CALLBACK_GRACE_MS = 2_000;

/** The same after an unhandled rejection: it is rarely what a handler waits for. */
const REJECTION_GRACE_MS = 30_000;

/** Hears of what goes wrong in the context of one attempt where nothing waits for it. */
export class AttemptStrays implements Scope {
  readonly client: Client;
  /** The first one. */
  first: StrayError | undefined;
  readonly #stop: Stop;
  readonly #report: (error: unknown) => void;
  /** Ends the wait for the handler. */
  #overdue: ((reason: StrayError) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `report` is told of those that come when it is too late to count them. */
  constructor(client: Client, stop: Stop, report: (error: unknown) => void) {
    this.client = client;
    this.#stop = stop;
    this.#report = report;
  }

  heard({ error, wasCallback }: Stray): void {
    if (this.#isOver || this.first !== undefined) {
      this.#report(error);
      return;
    }
    const first = new StrayError(error);
    this.first = first;
    this.#stop.abort(first);
    const grace = wasCallback ? CALLBACK_GRACE_MS : REJECTION_GRACE_MS;
    this.#timer = setTimeout(() => this.#overdue?.(first), grace);
  }

  /** What a handler gives; rejects when it has had its time to end after the first stray. */
  handling<T>(handled: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#overdue = reject;
      handled.then(resolve, reject);
    });
  }

  /** The handler has ended; one that comes now may still be counted. */
  handled(): void {
    clearTimeout(this.#timer);
  }

  /** What the attempt came to is on its way to the store. */
  over(): void {
    this.handled();
    this.#isOver = true;
  }
}
