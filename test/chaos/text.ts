import type { Random } from "./random.ts";

/** What breaks a reader of CSV: its own syntax, line ends, several bytes a character, and COPY's old end marker. */
const SPICE = [
  ..."\",;\t\r\n\\'{}|",
  ..."éßñøЖ漢字👍🏽\u{1F469}\u200d\u00a0\ufeff\u2028",
  '""',
  "\r\n",
  "\n\n",
  "\n\\.\n",
  "\\.",
  "\\N",
  "NULL",
  " ",
  "  ",
];
const PLAIN = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "];

/** A text of at most `longest` characters: mostly plain, often spiced, now and then empty. */
export function text(random: Random, longest: number): string {
  const kind = random.weighted({ plain: 6, spiced: 3, hot: 1, empty: 0.3 });
  if (kind === "empty") return "";
  const spice = { plain: 0, spiced: 0.1, hot: 0.6 }[kind];
  const length = random.int(1, longest);
  let made = "";
  let count = 0;
  while (count < length) {
    const next = random.chance(spice) ? random.pick(SPICE) : random.pick(PLAIN);
    const characters = [...next].length;
    if (count + characters > longest) break;
    made += next;
    count += characters;
  }
  return made;
}
