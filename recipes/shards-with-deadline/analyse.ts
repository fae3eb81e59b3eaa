import { readFile } from "node:fs/promises";
import { callable } from "pawl/pool";

export interface Analysis {
  readonly words: number;
  readonly distinct: number;
  /** The longest run of words that stands in the document twice. */
  readonly repeated: string;
}

/** Words with single spaces between. On a long title that ends otherwise it tries every way to cut the words: for years. */
const TITLE = /^(\w+ ?)+$/;

/** What the document says, by sorting all its ends: some take long, and one title takes for ever. */
export const analyse = callable(import.meta, async (path: string): Promise<Analysis> => {
  const [title = "", ...lines] = (await readFile(path, "utf8")).split("\n");
  if (!TITLE.test(title)) throw new Error(`The title "${title.slice(0, 40)}" is not plain words.`);
  const words = lines.join(" ").toLowerCase().split(/\W+/).filter(Boolean);
  return { words: words.length, distinct: new Set(words).size, repeated: longestRepeated(words) };
});

function longestRepeated(words: readonly string[]): string {
  const number = new Map([...new Set(words)].sort().map((word, at) => [word, at]));
  const text = Uint32Array.from(words, (word) => number.get(word) as number);
  const ends = Uint32Array.from(text, (_, at) => at).sort((a, b) => {
    const same = sharedFrom(text, a, b);
    return (text[a + same] ?? -1) - (text[b + same] ?? -1);
  });
  let best = { at: 0, length: 0 };
  for (let i = 1; i < ends.length; i++) {
    const at = ends[i] as number;
    const length = sharedFrom(text, ends[i - 1] as number, at);
    if (length > best.length) best = { at, length };
  }
  return words.slice(best.at, best.at + best.length).join(" ");
}

/** How many words are the same from two places on. */
function sharedFrom(text: Uint32Array, a: number, b: number): number {
  let same = 0;
  while (a + same < text.length && b + same < text.length && text[a + same] === text[b + same]) same++;
  return same;
}
