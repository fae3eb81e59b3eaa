import type { PawlError } from "../errors.ts";

/** What waits now, the innermost last: only that is told, since the others wait for it. */
const waiting: symbol[] = [];

/**
 * Settles as `work` does, or rejects with `error` once this process has nothing left to do and `work` has still not settled. Node would
 * end such a process in silence and with exit code 0.
 */
export async function unlessNothingIsLeft<T>(work: Promise<T>, error: () => PawlError): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const self = Symbol();
  const onNothingLeft = () => {
    if (waiting.at(-1) === self) reject(error());
  };
  waiting.push(self);
  process.on("beforeExit", onNothingLeft);
  try {
    return await Promise.race([work, promise]);
  } finally {
    process.off("beforeExit", onNothingLeft);
    waiting.splice(waiting.indexOf(self), 1);
  }
}
