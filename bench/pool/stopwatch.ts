/** What one contestant took in one process. */
export interface Timing {
  /** Milliseconds of the first round, in which code is compiled and workers start. */
  readonly cold: number;
  /** Milliseconds of a round after that: the median. */
  readonly warm: number;
}

/** For so long rounds run before they count, the first one included. */
const WARM_UP_MS = 400;
/** So many rounds count, and for so long; but one that takes long need not be repeated as often. */
const ROUNDS = 5;
const MEASURE_MS = 500;
const ENOUGH_MS = 5000;

/** Runs the work again and again: the rule is the same for all contestants, those in Python included. */
export async function timed(work: () => unknown): Promise<Timing> {
  const cold = await once(work);
  for (let spent = cold; spent < WARM_UP_MS; ) spent += await once(work);
  const rounds: number[] = [];
  let spent = 0;
  while (spent < ENOUGH_MS && (rounds.length < ROUNDS || spent < MEASURE_MS)) {
    const ms = await once(work);
    rounds.push(ms);
    spent += ms;
  }
  return { cold, warm: median(rounds) };
}

/** The milliseconds of one round. */
export async function once(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
