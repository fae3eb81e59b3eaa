import { AsyncLocalStorage } from "node:async_hooks";
import type { Client } from "../client/client.ts";

/** What went wrong where nothing waits for it: a rejection that nobody handles, or an error in a callback. */
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
  // Whoever else listens decides; if nobody does, it is an exception that nobody catches.
  else if (process.listenerCount("unhandledRejection") === 1) throw error;
}

function onException(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  const scope = origin === "uncaughtException" ? current.getStore() : undefined;
  if (scope !== undefined) scope.heard({ error, wasCallback: true });
  else if (process.listenerCount("uncaughtException") === 1) {
    // Thrown once more when nobody listens, so that the process ends as it does without a worker.
    stopListening();
    setImmediate(() => {
      throw error;
    });
  }
}
