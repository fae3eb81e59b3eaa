const LEAST_MS = 10;
const SHARE = 0.05;

/**
 * How long to wait before a run that began at `began` is looked at again: a share of the time it has taken so far, so that
 * a short one does not end with a long wait and a long one is not looked at all the time.
 */
export function lookAgainMs(began: number, most: number): number {
  return Math.min(most, Math.max(LEAST_MS, (performance.now() - began) * SHARE));
}
