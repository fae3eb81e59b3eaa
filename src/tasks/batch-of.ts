/** Texts that go to the store in one statement, in characters. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

/**
 * Takes the first of what waits for the store, in order: at most `most`, and no more text than a statement should carry, but one
 * at least.
 */
export function batchOf<T>(waiting: T[], most: number, characters: (one: T) => number): T[] {
  let sum = 0;
  let count = 0;
  for (const one of waiting) {
    if (count === most) break;
    sum += characters(one);
    if (count > 0 && sum > MOST_CHARACTERS) break;
    count++;
  }
  return waiting.splice(0, count);
}
