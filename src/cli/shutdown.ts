import { EXIT } from "./exit-codes.ts";

/**
 * As long as a lease: whoever asked this process to end waits no longer, such as for a server that does not answer. Shorter in tests of
 * what does not end.
 */
const longestMs = () => Number(process.env.PAWL_STOP_MS ?? 15_000);

/**
 * Ends this process some time after it was asked to, whatever holds it: it leaves as one that was killed, of which others take over what
 * it held. `afterMs` is what it was given to end by itself.
 */
export function endAnyway(say: (sentence: string) => void, afterMs = 0): void {
  setTimeout(() => {
    say(
      "ends though something does not answer, as one that was killed: what was committed counts, and the rest is done again",
    );
    process.exit(EXIT.interrupted);
  }, afterMs + longestMs()).unref();
}

/** Says that what was asked to stop has not yet, to somebody who may ask once more. */
export function sayLate(say: (sentence: string) => void): void {
  setTimeout(
    () => say("has not come to its next checkpoint yet: once more ends it at once, and nothing is lost"),
    longestMs(),
  ).unref();
}
