import { AsyncLocalStorage } from "node:async_hooks";
import type { Client } from "../client/client.ts";
import { UnhandledError } from "./errors.ts";

/** The signal of an attempt, made when it is first asked for, and the way to abort it. */
export type Stop = Pick<AbortController, "signal" | "abort">;

/** An error that nothing waits for: an unhandled rejection, or an error in a callback. */
export interface Unhandled {
  readonly error: unknown;
  /** The callback that threw may be the one that an attempt waits for. */
  readonly wasCallback: boolean;
}

/** What belongs to one attempt, and is found by all code that the attempt begins. */
export interface Scope {
  /** The store of its worker. */
  readonly client: Client;
  /** Called with each unhandled error that arises in it. */
  onUnhandled(unhandled: Unhandled): void;
}

/** One storage for everything: each run of code in a context costs a copy of all storages that there are. */
const current = new AsyncLocalStorage<Scope>();

/** Calls of `catchUnhandledErrors` that are not stopped: while there is one, the process has the listeners. */
let catching = 0;

/**
 * Runs code within an attempt: `scope` is given the unhandled errors of the code and of everything that it begins,
 * while these are caught.
 */
export function withinScope<T>(scope: Scope, code: () => T): T {
  return current.run(scope, code);
}

/** The attempt that the running code belongs to. */
export function currentScope(): Scope | undefined {
  return current.getStore();
}

/**
 * Catches the unhandled errors of attempts, so that one task's mistake does not end the process in which others run. An
 * unhandled error outside of attempts ends the process as it does without Pawl. Returns a function that stops it.
 */
export function catchUnhandledErrors(): () => void {
  if (catching++ === 0) {
    process.on("unhandledRejection", onRejection);
    process.on("uncaughtException", onException);
  }
  let stopped = false;
  return () => {
    if (stopped) return;
    stopped = true;
    if (--catching === 0) stopListening();
  };
}

function stopListening(): void {
  process.off("unhandledRejection", onRejection);
  process.off("uncaughtException", onException);
}

function onRejection(error: unknown): void {
  const scope = current.getStore();
  if (scope !== undefined) scope.onUnhandled({ error, wasCallback: false });
  // Another listener decides; without one, it is an uncaught exception.
  else if (process.listenerCount("unhandledRejection") === 1) throw error;
}

function onException(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  const scope = origin === "uncaughtException" ? current.getStore() : undefined;
  if (scope !== undefined) scope.onUnhandled({ error, wasCallback: true });
  else if (process.listenerCount("uncaughtException") === 1) {
    // Thrown once more when there is no listener, so that the process ends as it does without a worker.
    stopListening();
    setImmediate(() => {
      throw error;
    });
  }
}

/** How long an attempt whose callback threw may take to end by itself: it may be waiting for that callback. */
const CALLBACK_GRACE_MS = 2_000;

/** The same after an unhandled rejection: it is rarely what a handler waits for. */
const REJECTION_GRACE_MS = 30_000;

/** Collects the unhandled errors of one attempt: the first one stops the attempt and is why it fails. */
export class UnhandledErrors implements Scope {
  readonly client: Client;
  first: UnhandledError | undefined;
  readonly #stop: Stop;
  readonly #report: (error: unknown) => void;
  /** Rejects the promise of `handling`. */
  #overdue: ((reason: UnhandledError) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `report` is called with errors that come when it is too late to count them. */
  constructor(client: Client, stop: Stop, report: (error: unknown) => void) {
    this.client = client;
    this.#stop = stop;
    this.#report = report;
  }

  onUnhandled({ error, wasCallback }: Unhandled): void {
    if (this.#isOver || this.first !== undefined) {
      this.#report(error);
      return;
    }
    const first = new UnhandledError(error);
    this.first = first;
    this.#stop.abort(first);
    const grace = wasCallback ? CALLBACK_GRACE_MS : REJECTION_GRACE_MS;
    this.#timer = setTimeout(() => this.#overdue?.(first), grace);
  }

  /** What a handler returns; rejects when the handler has had its time to end after the first unhandled error. */
  handling<T>(handled: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#overdue = reject;
      handled.then(resolve, reject);
    });
  }

  /** The handler has ended; an unhandled error that comes now is still counted. */
  handled(): void {
    clearTimeout(this.#timer);
  }

  /** The result of the attempt is on its way to the store: later errors are only reported. */
  over(): void {
    this.handled();
    this.#isOver = true;
  }
}
