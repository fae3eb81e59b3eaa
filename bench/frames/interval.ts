export interface Interval {
  readonly middle: number;
  /** Between them the true median lies with a probability of at least 95 %. */
  readonly low: number;
  readonly high: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/**
 * The median and its interval by order statistics, which assumes nothing about how the values are spread: each value falls below the
 * true median with probability ½, so how many do is binomial. Fewer than six values give their whole range.
 */
export function intervalOf(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  let rank = 0;
  let below = 0.5 ** count;
  let chance = below;
  // The highest rank whose tail stays within 2.5 %.
  while (below <= 0.025 && rank < count) {
    rank++;
    chance *= (count - rank + 1) / rank;
    below += chance;
  }
  const low = Math.max(0, rank - 1);
  return {
    middle: median(sorted),
    low: sorted[low] ?? Number.NaN,
    high: sorted[count - 1 - low] ?? Number.NaN,
  };
}
