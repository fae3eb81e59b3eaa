import { stripVTControlCharacters } from "node:util";

/**
 * What can give orders to a terminal or deceive who reads it: control characters but tabs and ends of lines, the ends of
 * lines that only some programs know, marks that turn the direction of writing, and halves of characters.
 */
const ORDERS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text of several lines to which nothing in it can give orders: what could is shown as its escape. */
export function harmless(text: string): string {
  return text.replace(ORDERS, (c) => {
    if (c === "\r") return "\\r";
    if (c === "\0") return "\\0";
    const code = c.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** The same on one line: names and rows come from outside. */
export function visible(text: string): string {
  return harmless(text).replaceAll("\n", "\\n");
}

/** A value as JSON that is exact, and as harmless. */
export function jsonText(value: unknown): string {
  return harmlessJson(JSON.stringify(value) ?? "null");
}

/** JSON that says the same: what it may leave raw is escaped in its own way. */
export function harmlessJson(text: string): string {
  return text.replace(ORDERS, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are the ones to remove
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A text without the colours and other control sequences that it brings, such as a log's. Keeps tabs and ends of lines. */
export function plain(text: string): string {
  return stripVTControlCharacters(text.replaceAll("\r\n", "\n")).replace(CONTROL, "·");
}

/** The same on one line. */
export function onOneLine(text: string): string {
  return plain(text).trim().replace(/\s+/g, " ");
}
