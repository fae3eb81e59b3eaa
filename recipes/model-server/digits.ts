/** Digits on a screen of 5 by 7 points. */
const drawn = [
  ".###. #...# #..## #.#.# ##..# #...# .###.",
  "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
  ".###. #...# ....# ...#. ..#.. .#... #####",
  "##### ...#. ..#.. ...#. ....# #...# .###.",
  "...#. ..##. .#.#. #..#. ##### ...#. ...#.",
  "##### #.... ####. ....# ....# #...# .###.",
  "..##. .#... #.... ####. #...# #...# .###.",
  "##### ....# ...#. ..#.. .#... .#... .#...",
  ".###. #...# #...# .###. #...# #...# .###.",
  ".###. #...# #...# .#### ....# ...#. .##..",
];

export const POINTS = 35;
export const DIGITS = drawn.length;

export interface Sample {
  readonly points: Float64Array;
  readonly digit: number;
}

/** The points of a drawing: `#` is ink, `.` is none, and white space only divides rows. Null when it is not a drawing. */
export function pointsOf(drawing: string): Float64Array | null {
  const marks = drawing.replace(/\s/g, "");
  if (marks.length !== POINTS || /[^#.]/.test(marks)) return null;
  return Float64Array.from(marks, (mark) => (mark === "#" ? 1 : 0));
}

/** A digit as it is drawn, row by row. */
export function drawingOf(digit: number): string {
  return (drawn[digit] ?? "").replaceAll(" ", "\n");
}

/** Digits as a bad camera sees them: some points are wrong, all of them uncertain. */
export function samples(count: number, random: () => number): Sample[] {
  return Array.from({ length: count }, (_, at) => {
    const digit = at % DIGITS;
    const clean = pointsOf(drawingOf(digit)) ?? new Float64Array(POINTS);
    const points = clean.map((ink) => {
      const seen = random() < 0.08 ? 1 - ink : ink;
      return seen + (random() - 0.5) * 0.4;
    });
    return { points, digit };
  });
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
