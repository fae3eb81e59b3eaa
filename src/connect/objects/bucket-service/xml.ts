import { own } from "../../../own.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};

/** The text of the first element of a name, where it holds nothing but text; null without one. */
export function textOf(xml: string, name: string): string | null {
  const from = xml.indexOf(`<${name}>`);
  if (from < 0) return null;
  const to = xml.indexOf(`</${name}>`, from);
  return to < 0 ? null : unescaped(xml.slice(from + name.length + 2, to));
}

/** What stands in each element of a name, which does not hold another of the same name. */
export function* elementsOf(xml: string, name: string): Generator<string, void, undefined> {
  const [open, close] = [`<${name}>`, `</${name}>`];
  for (let at = xml.indexOf(open); at >= 0; at = xml.indexOf(open, at)) {
    const to = xml.indexOf(close, at);
    if (to < 0) return;
    yield xml.slice(at + open.length, to);
    at = to + close.length;
  }
}

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) =>
    c === "&" ? "&amp;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&quot;",
  );
}

function unescaped(text: string): string {
  if (!text.includes("&")) return text;
  // Around each tag of a listing.
  const most = text.replaceAll("&quot;", '"');
  if (!most.includes("&")) return most;
  return most.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|\w+);/g, (entity, hex, decimal) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return own(ENTITIES, entity) ?? entity;
  });
}

/** The name of the outermost element, and whether the text goes to its end; null where it is not XML. */
export function rootOf(xml: string): { readonly name: string | null; readonly isWhole: boolean } {
  const text = xml.replace(/^\ufeff/, "").replace(/^\s*<\?xml[^>]*\?>/, "");
  const name = /^\s*<([A-Za-z][\w.-]*)[\s>/]/.exec(text)?.[1] ?? null;
  return { name, isWhole: name !== null && new RegExp(`</${name}>\\s*$`).test(text) };
}

/** How often a text stands in another. */
export function countOf(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}
