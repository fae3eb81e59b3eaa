import fc from "fast-check";

/**
 * Of all that tests draw at random. Fixed in the gate, so that what fails there fails again; `PAWL_SEED` gives another, as the
 * long runs do.
 */
export const seed = Number(process.env.PAWL_SEED ?? 4711);

fc.configureGlobal({ seed });

/** How often a property is tried: so often in the gate, and `PAWL_MANY` times as often in the long runs. */
export function runs(few: number): number {
  return few * Number(process.env.PAWL_MANY ?? 1);
}

export { fc };

/** Numbers from 0 to 1, without 1, which are the same for the same seed (mulberry32). */
export function randomFrom(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
