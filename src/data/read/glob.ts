import { PawlError } from "../../errors.ts";

/** So many alternatives of braces are more than anyone writes. */
const MOST_ALTERNATIVES = 1000;

/** One part of a pattern between slashes: a name as it is, any names that match, or any number of folders. */
export type GlobPart =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "match"; readonly text: string; readonly matches: (name: string) => boolean }
  | { readonly kind: "folders" };

/** A pattern without braces. */
export interface GlobAlternative {
  /** The names before the first part that is not one, with a slash behind each: `data/2024/` of `data/2024/*.csv`. */
  readonly folder: string;
  /** What comes after them; empty where the pattern names one file. */
  readonly parts: readonly GlobPart[];
}

/**
 * A pattern for paths, whether of files or of objects: `*` stands for any characters but `/`, `?` for one, `[a-z]` and `[!a-z]`
 * for one of some, `{a,b}` for either, and `**` between slashes for any number of folders. A backslash takes the next
 * character as it is. As in shells, nothing of these stands for a dot at the beginning of a name; `**` does not
 * enter folders that begin with `_` or a dot, in which programs keep what is not finished.
 */
export class Glob {
  readonly text: string;
  readonly alternatives: readonly GlobAlternative[];

  /** Throws the PawlError `data.pattern` where a text is not a pattern. */
  constructor(text: string) {
    this.text = text;
    this.alternatives = expandBraces(text, text).map((each) => alternativeOf(each, text));
  }

  /** Whether any alternative matches a whole path, whose parts are divided by slashes. */
  matches(path: string): boolean {
    return this.alternatives.some(({ folder, parts }) => {
      if (!path.startsWith(folder)) return false;
      return matchesParts(parts, path.slice(folder.length).split("/"));
    });
  }
}

/** Whether a text holds a character by which it may be a pattern. */
export function isGlob(text: string): boolean {
  return /[*?[\]{}]/.test(text);
}

/** A text as a pattern that stands for itself alone. */
export function escapeGlob(text: string): string {
  return text.replaceAll(/[*?[\]{}\\]/g, "\\$&");
}

/** Whether `**` enters a folder. */
export function isEntered(folder: string): boolean {
  return !/^[._]/.test(folder);
}

function matchesParts(parts: readonly GlobPart[], names: readonly string[]): boolean {
  // States of the pattern that the names so far lead to: no pattern makes this slower than parts times names.
  let states = new Set([0]);
  const closed = (from: ReadonlySet<number>) => {
    const all = new Set(from);
    for (const at of all) if (parts[at]?.kind === "folders") all.add(at + 1);
    return all;
  };
  states = closed(states);
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    const next = new Set<number>();
    for (const at of states) {
      const part = parts[at];
      if (part === undefined) continue;
      if (part.kind === "folders") {
        if (!isLast && isEntered(name)) next.add(at);
      } else if (part.kind === "name" ? part.name === name : part.matches(name)) next.add(at + 1);
    }
    states = closed(next);
    if (states.size === 0) return false;
  }
  return states.has(parts.length);
}

/** The alternatives of `{a,b}`, nested ones too. Braces without a comma between them are ordinary characters. */
function expandBraces(text: string, whole: string): string[] {
  const found = firstBraces(text);
  if (found === null) return [text];
  const { before, options, after } = found;
  const expanded: string[] = [];
  for (const option of options)
    for (const head of expandBraces(option, whole))
      for (const tail of expandBraces(after, whole)) {
        expanded.push(before + head + tail);
        if (expanded.length > MOST_ALTERNATIVES)
          throw new PawlError(
            "data.pattern",
            `The pattern ${whole} has more than ${MOST_ALTERNATIVES} alternatives in its braces: write * for what they have in common.`,
          );
      }
  return expanded;
}

function firstBraces(text: string): { before: string; options: string[]; after: string } | null {
  for (let open = next(text, 0, "{"); open >= 0; open = next(text, open + 1, "{")) {
    const commas: number[] = [];
    let depth = 0;
    for (let at = open; at < text.length; at++) {
      const c = text[at];
      if (c === "\\") at++;
      else if (c === "{") depth++;
      else if (c === "," && depth === 1) commas.push(at);
      else if (c === "}" && --depth === 0) {
        if (commas.length === 0) break;
        const bounds = [open, ...commas, at];
        const options = bounds.slice(1).map((end, nth) => text.slice((bounds[nth] as number) + 1, end));
        return { before: text.slice(0, open), options, after: text.slice(at + 1) };
      }
    }
  }
  return null;
}

/** The next place of a character that no backslash stands before; -1 where there is none. */
function next(text: string, from: number, wanted: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === wanted) return at;
  }
  return -1;
}

function alternativeOf(text: string, whole: string): GlobAlternative {
  const parts = text.split("/").map((part) => partOf(part, whole));
  // `**` at the end stands for all files, as `**` and a star do.
  if (parts.at(-1)?.kind === "folders") parts.push(partOf("*", whole));
  // The last part is a file's name, and belongs to no folder.
  let names = 0;
  while (names < parts.length - 1 && parts[names]?.kind === "name") names++;
  const folder = parts.slice(0, names).map((part) => `${(part as { name: string }).name}/`);
  return { folder: folder.join(""), parts: parts.slice(names) };
}

function partOf(text: string, whole: string): GlobPart {
  if (text === "**") return { kind: "folders" };
  let source = "";
  let name = "";
  let isName = true;
  for (let at = 0; at < text.length; at++) {
    const set = text[at] === "[" ? /^\[([!^]?)(\]?[^\]]*)\]/s.exec(text.slice(at)) : null;
    if (set !== null && set[2] !== "") {
      source += setOf(set[2] as string, set[1] !== "", whole);
      at += set[0].length - 1;
      isName = false;
      continue;
    }
    if (text[at] === "*" || text[at] === "?") {
      source += text[at] === "*" ? ".*" : ".";
      isName = false;
      continue;
    }
    if (text[at] === "\\" && at + 1 < text.length) at++;
    const literal = String.fromCodePoint(text.codePointAt(at) as number);
    at += literal.length - 1;
    source += literal.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
    name += literal;
  }
  if (isName) return { kind: "name", name };
  const pattern = new RegExp(`^${source}$`, "su");
  const seesDots = /^(\\?\.)/.test(text);
  return {
    kind: "match",
    text,
    matches: (each) => (seesDots || !each.startsWith(".")) && pattern.test(each),
  };
}

function setOf(inner: string, isNot: boolean, whole: string): string {
  const body = [...inner].map((c) => (/[\\\]^[]/.test(c) ? `\\${c}` : c)).join("");
  try {
    const set = `[${isNot ? "^" : ""}${body}]`;
    new RegExp(set, "su");
    return set;
  } catch {
    throw new PawlError(
      "data.pattern",
      `[${inner}] in the pattern ${whole} is not a set of characters: write one such as [a-z].`,
    );
  }
}
