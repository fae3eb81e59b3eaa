import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const WORDS =
  "a pawl is the catch that lets ratchet turn one way only work moves forward and never slips back".split(
    " ",
  );

/** The phrase that every sample holds twice. */
export const PHRASE = "it was the best of times it was the worst of times";

/** Makes documents of 500 to 200,000 words, and one whose title no check in the program gets to the end of. */
export async function makeSamples(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  let state = 42;
  const random = (below: number) => {
    // A linear congruential generator; the constants are those of Numerical Recipes.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let n = 1; n <= count; n++) {
    const length = Math.round(500 * 400 ** (random(1000) / 1000));
    const words = Array.from({ length }, () => WORDS[random(WORDS.length)] as string);
    for (let twice = 0; twice < 2; twice++) words.splice(random(words.length), 0, `\n${PHRASE}\n`);
    await writeFile(join(folder, name(n)), `Report ${n}\n${words.join(" ")}\n`);
  }
  await writeFile(join(folder, "stuck.txt"), `${"A title that goes on ".repeat(4)}and on!\nshort\n`);
}

const name = (n: number) => `report-${String(n).padStart(2, "0")}.txt`;
