import { EXIT } from "./exit-codes.ts";

/**
 * As long as a lease: so long a process that was asked to end may still wait, such as for a server that does not answer. Shorter in
 * tests of what does not end.
 */
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

/** Says that the process has not stopped yet, to a person who may ask once more. */
export function sayLate(say: (sentence: string) => void): void {
  setTimeout(
    () => say("has not reached its next checkpoint yet: once more ends it at once, and nothing is lost"),
    longestMs(),
  ).unref();
}
