import { type Apply, strict } from "./apply.ts";
import type { Cell } from "./cells.ts";

/** One code point becomes one: `İ` is `i`, `ß` stays unless it has an upper case of its own. */
function eachCodePoint(text: string, change: (one: string) => string): string {
  return Array.from(text, (one) => {
    const changed = [...change(one)];
    return changed.length === 1 ? (changed[0] ?? one) : one;
  }).join("");
}

function ofText(apply: (text: string, ...others: string[]) => Cell): Apply {
  return strict((args) => apply(...(args as unknown as [string, ...string[]])));
}

/** Lengths and places count code points, not the units of JavaScript. */
function places(text: string): bigint {
  return BigInt([...text].length);
}

export const textFunctions: readonly (readonly [string, Apply])[] = [
  ["lower", ofText((text) => eachCodePoint(text, (one) => (one === "İ" ? "i" : one.toLowerCase())))],
  ["upper", ofText((text) => eachCodePoint(text, (one) => (one === "ß" ? "ẞ" : one.toUpperCase())))],
  ["trim", ofText((text) => text.trim())],
  ["trimStart", ofText((text) => text.trimStart())],
  ["trimEnd", ofText((text) => text.trimEnd())],
  ["length", ofText(places)],
  ["contains", ofText((text, part = "") => text.includes(part))],
  ["startsWith", ofText((text, part = "") => text.startsWith(part))],
  ["endsWith", ofText((text, part = "") => text.endsWith(part))],
  [
    "indexOf",
    ofText((text, part = "") => {
      const place = text.indexOf(part);
      return place < 0 ? -1n : places(text.slice(0, place));
    }),
  ],
  ["concat", ofText((...parts) => parts.join(""))],
  ["reverse", ofText((text) => [...text].reverse().join(""))],
];
