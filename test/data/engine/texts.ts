/** What every engine must make of random slices and regular expressions: what JavaScript makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import type { Engine } from "../../../src/data/engine/contract.ts";
import { fromRows, int32, text } from "../../../src/data/index.ts";
import { randomFrom, runs, seed } from "../../random.ts";
import type { Loose } from "./functions.ts";

const CHARACTERS = [
  "a",
  "b",
  "A",
  "1",
  "_",
  " ",
  "\n",
  "\r",
  "😀",
  "😁",
  "é",
  "É",
  "\u00a0",
  "\u2028",
  "-",
  "]",
  "\\",
  "\0",
];
const ATOMS = [
  "a",
  "b",
  "1",
  "é",
  "😀",
  ".",
  "\\d",
  "\\D",
  "\\w",
  "\\W",
  "\\s",
  "\\S",
  "[ab]",
  "[^a]",
  "[a-c😀]",
  "[\\s1]",
  "[^\\w]",
  "[\\d\\-]",
  "[\\]\\\\]",
  "\\u{1F600}",
  "\\n",
  "\\x61",
  "\\u00e9",
  "[^]",
  "\\\\",
  "\\p{Lu}",
  "\\P{L}",
];
const TIMES = ["", "", "", "*", "+", "?", "{1,2}", "*?", "+?", "{2}"];
const FLAGS = ["u", "iu", "mu", "su", "imu"];

/** One of some values. */
type Pick = <V>(values: readonly V[]) => V;

function pattern(pick: Pick, depth: number): string {
  const parts = Array.from({ length: pick([1, 2, 2, 3]) }, () => {
    const kind = pick(["atom", "atom", "atom", "mark", "group", "choice"]);
    if (kind === "mark") return "\\b";
    if (depth === 0 || kind === "atom") return `${pick(ATOMS)}${pick(TIMES)}`;
    const inner =
      kind === "group" ? pattern(pick, depth - 1) : `${pattern(pick, depth - 1)}|${pattern(pick, depth - 1)}`;
    // JavaScript alone refuses an empty match of a group that may be left out, so that no group here is one.
    return `(${pick(["", "?:"])}${inner})`;
  });
  return parts.join("");
}

/** The conformance of an engine to JavaScript's texts. */
export function textConformance(engine: Engine): void {
  test(`${engine.name} slices and matches random texts as JavaScript does, by code points`, async () => {
    const draw = randomFrom(seed);
    const pick: Pick = (values) => values[Math.floor(draw() * values.length)] as never;
    const texts = Array.from({ length: 40 }, () =>
      Array.from({ length: Math.floor(draw() * 7) }, () => pick(CHARACTERS)).join(""),
    );
    const cases: {
      readonly name: string;
      readonly make: (c: Loose) => Loose;
      readonly gives: (t: string) => unknown;
    }[] = [];
    for (let index = 0; index < runs(60); index++) {
      const found = new RegExp(
        `${pick(["", "", "^"])}${pattern(pick, 2)}${pick(["", "", "$"])}`,
        pick(FLAGS),
      );
      cases.push({ name: `matches ${found}`, make: (c) => c.matches(found), gives: (t) => found.test(t) });
      cases.push({
        name: `extract ${found}`,
        make: (c) => c.extract(found),
        gives: (t) => found.exec(t)?.[0] ?? null,
      });
      cases.push({
        name: `replace ${found}`,
        make: (c) => c.replace(found, "<$&$$>"),
        gives: (t) => t.replace(found, "<$&$$>"),
      });
      const all = new RegExp(found.source, `${found.flags}g`);
      const isNeverEmpty = ["", ...CHARACTERS].every((t) =>
        [...t.matchAll(all)].every(([match]) => match !== ""),
      );
      if (isNeverEmpty) {
        cases.push({
          name: `replaceAll ${found}`,
          make: (c) => c.replaceAll(found, "<$&>"),
          gives: (t) => t.replaceAll(all, "<$&>"),
        });
        cases.push({
          name: `extractAll ${found}`,
          make: (c) => c.extractAll(found),
          gives: (t) => t.match(all) ?? [],
        });
        // The groups of a pattern are parts of what JavaScript splits into; ^ and \\b are refused.
        if (!/\(|\\b|^\^/.test(found.source))
          cases.push({ name: `split ${found}`, make: (c) => c.split(found), gives: (t) => t.split(found) });
      }
      const [start, end] = [pick([-9, -2, -1, 0, 1, 2, 5]), pick([undefined, -9, -2, -1, 0, 1, 3, 9])];
      cases.push({
        name: `slice ${start} ${end}`,
        make: (c) => c.slice(start, end),
        gives: (t) => [...t].slice(start, end).join(""),
      });
      const part = pick(CHARACTERS) + pick(["", ...CHARACTERS]);
      cases.push({
        name: `replaceAll ${inspect(part)}`,
        make: (c) => c.replaceAll(part, "\\1$"),
        gives: (t) => t.replaceAll(part, () => "\\1$"),
      });
      cases.push({ name: `split ${inspect(part)}`, make: (c) => c.split(part), gives: (t) => t.split(part) });
    }
    const rows = await fromRows(
      { at: int32(), t: text() },
      texts.map((t, at) => ({ at, t })),
    )
      .with((c) => Object.fromEntries(cases.map(({ make }, index) => [`x${index}`, make(c.t)])) as never)
      .sort("at" as never)
      .collect({ engine });
    const wrong = texts.flatMap((t, at) => {
      const values = new Map<string, unknown>(Object.entries(rows[at] ?? {}));
      return cases.flatMap(({ name, gives }, index) =>
        // With the flag m lines end at a line feed alone.
        (/\/[isu]*m[isu]*$/.test(name) && /[\r\u2028]/.test(t)) ||
        isDeepStrictEqual(values.get(`x${index}`), gives(t))
          ? []
          : [`${name} of ${inspect(t)}: ${inspect(values.get(`x${index}`))}, not ${inspect(gives(t))}`],
      );
    });
    assert.deepEqual(wrong.slice(0, 20), []);
  });
}
