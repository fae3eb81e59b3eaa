import type { PawlError } from "../../../errors.ts";

/** How much time one response may take. Only the time counts in which we wait for bytes, not that in which we do not read them. */
export interface ResponseBudget {
  /** A server that sends nothing for so long is given up. */
  readonly silenceMs: number;
  /** The head of a response must have come after so long. */
  readonly headMs: number;
  /** After so long it must have sent this many bytes a second. */
  readonly graceMs: number;
  readonly leastPerSecond: number;
}

export const DEFAULT_BUDGET: ResponseBudget = {
  // Tests of silence set the variable, since they cannot wait for a minute.
  silenceMs: Number(process.env.PAWL_SILENCE_MS) || 60_000,
  headMs: 120_000,
  graceMs: 60_000,
  leastPerSecond: 1024,
};

/** How many bytes a response other than an object may have: a page of a listing has at most a thousand keys of a thousand characters. */
export const LONGEST_BODY = 16 * 1024 * 1024;
/** How many bytes of an error are read. */
export const LONGEST_ERROR_BODY = 64 * 1024;

/** Whether so many bytes are too few for so long a wait. */
export function isTooSlow(
  bytes: number,
  waitedMs: number,
  { graceMs, leastPerSecond }: ResponseBudget,
): boolean {
  return waitedMs > graceMs && bytes * 1000 < waitedMs * leastPerSecond;
}

/** The pieces of a response; throws the error of `tooSlow` where they do not come, or come too slowly. */
export async function* paced<T extends Uint8Array>(
  pieces: AsyncIterable<T>,
  budget: ResponseBudget,
  tooSlow: (what: string) => PawlError,
): AsyncGenerator<T, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]();
  let [bytes, waited] = [0, 0];
  let isOver = false;
  try {
    for (;;) {
      const began = performance.now();
      const { promise, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => reject(tooSlow(`has been silent for ${budget.silenceMs / 1000} s`)),
        budget.silenceMs,
      );
      const next = await Promise.race([iterator.next(), promise]).finally(() => clearTimeout(timer));
      isOver = next.done === true;
      if (next.done) return;
      waited += performance.now() - began;
      bytes += next.value.length;
      if (isTooSlow(bytes, waited, budget))
        throw tooSlow(`sent ${bytes} bytes in ${Math.round(waited / 1000)} s, which is too slow`);
      yield next.value;
    }
  } finally {
    // An iterator that waits in vain does not learn of it: its source is destroyed by the caller that opened it.
    if (!isOver) void iterator.return?.()?.catch(() => {});
  }
}
