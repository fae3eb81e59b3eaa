/** Milliseconds that setTimeout can hold; it takes more for 1. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
