import { EXIT } from "./exit-codes.ts";

/** Ctrl-C, a service manager, and a terminal that closes. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Who asked the process to stop: a signal, or a sentence. */
export type StopReason = (typeof STOP_SIGNALS)[number] | (string & {});

/**
 * Calls `stop` when the process is asked to stop for the first time. A signal that comes after that ends the process at once, and calls
 * `beforeExit` first.
 */
export function onStopRequest(
  stop: (reason: StopReason) => void,
  beforeExit: () => void = () => {},
): {
  /** Asks the process to stop for another reason than a signal. Does nothing where it was asked before. */
  ask(reason: string): void;
  /** Leaves signals to others again. */
  stopListening(): void;
} {
  let isAsked = false;
  const ask = (reason: StopReason) => {
    if (isAsked) return;
    isAsked = true;
    stop(reason);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (isAsked) {
      // What still runs counts as crashed, and other processes take it over.
      beforeExit();
      process.exit(EXIT.interrupted);
    }
    ask(signal);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return {
    ask,
    stopListening: () => {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}

/** What ends the process at once after a signal has asked it to stop, as the end of a sentence. */
export function againEndsAtOnce(reason: StopReason): string {
  if (!STOP_SIGNALS.some((signal) => signal === reason)) return "";
  return `; ${reason === "SIGINT" ? "Ctrl-C" : reason} again ends it at once`;
}

/** As long as a lease: a process that was asked to end may wait so long, such as for a server that does not answer. Shorter in tests. */
const longestMs = () => Number(process.env.PAWL_STOP_MS ?? 15_000);

/**
 * Ends this process some time after it was asked to, whatever holds it. Other processes take over its work, as after a kill. `afterMs` is what it was given to end by itself.
 */
export function endAnyway(say: (sentence: string) => void, afterMs = 0): void {
  setTimeout(() => {
    say("ends now, although something does not answer: committed work counts, and the rest is done again");
    process.exit(EXIT.interrupted);
  }, afterMs + longestMs()).unref();
}

/** Says that the process has not stopped yet, to a person who may press Ctrl-C again. */
export function sayLate(say: (sentence: string) => void): void {
  setTimeout(
    () => say("has not reached its next checkpoint yet: Ctrl-C again ends it at once, and nothing is lost"),
    longestMs(),
  ).unref();
}
