import { PawlError } from "../../../errors.ts";

/**
 * Compiles a pattern for keys. Keys are no files of a shell: a star stands for any characters but `/`, a dot at the beginning
 * among them; `**` between slashes for any number of folders; `?` for one character; `[a-z]` and `[!a-z]` for one of some;
 * `{a,b}` for either. A backslash takes the next character as it is. A pattern without a `/` speaks of the last part of a key.
 */
export class KeyPattern {
  readonly text: string;
  readonly #key: RegExp;
  readonly #ofWhole: boolean;
  /** Folders all of whose keys match; null where the pattern says nothing of whole folders. */
  readonly #folder: RegExp | null;
  /** What all keys that match begin with. */
  readonly #beginning: string;

  /** Throws a PawlError where the text is not a pattern; `option` is what it was given to. */
  constructor(text: string, option: string) {
    const wrong = (why: string) =>
      new PawlError(
        "copy.pattern",
        `\`${option}\` "${text}" is not a pattern: ${why}. Write one such as *.jpg or 2024/**.`,
      );
    if (text === "") throw wrong("it is empty");
    this.text = text;
    this.#ofWhole = text.includes("/");
    this.#key = new RegExp(`^${sourceOf(text, wrong)}$`, "su");
    const head = ["*", "**", "**/*"].includes(text) ? "" : /^(.*)\/\*\*$/s.exec(text)?.[1];
    this.#folder =
      head === undefined
        ? null
        : head === "" || head === "**"
          ? /^/
          : new RegExp(`^${sourceOf(head, wrong)}/`, "su");
    this.#beginning = this.#ofWhole ? (/^[^*?[{\\]*/.exec(text)?.[0] ?? "") : "";
  }

  matches(key: string): boolean {
    return this.#key.test(this.#ofWhole ? key : key.slice(key.lastIndexOf("/") + 1));
  }

  /** Whether every key below a folder matches, whose key ends in `/`. */
  coversAllOf(folder: string): boolean {
    return this.#folder?.test(folder) ?? false;
  }

  /** Whether a key below a folder may match. */
  reachesInto(folder: string): boolean {
    return this.#beginning.startsWith(folder) || folder.startsWith(this.#beginning);
  }
}

/** The pattern as the source of a regular expression. */
function sourceOf(text: string, wrong: (why: string) => PawlError): string {
  let source = "";
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const rest = text.slice(at);
    const c = text[at] as string;
    const isAtPart = at === 0 || text[at - 1] === "/";
    if (isAtPart && /^\*\*\//.test(rest)) {
      source += "(?:[^/]*/)*";
      at += 2;
    } else if (isAtPart && rest === "**") {
      source += ".*";
      at++;
    } else if (c === "*") {
      while (text[at + 1] === "*") at++;
      source += "[^/]*";
    } else if (c === "?") source += "[^/]";
    else if (c === "[") {
      const set = /^\[([!^]?)(\]?(?:[^\]\\]|\\.)*)\]/s.exec(rest);
      if (set === null || set[2] === "") throw wrong("a [ has no ]");
      source += setOf(set[2] as string, set[1] !== "", wrong);
      at += set[0].length - 1;
    } else if (c === "{") {
      source += "(?:";
      depth++;
    } else if (c === "}" && depth > 0) {
      source += ")";
      depth--;
    } else if (c === "," && depth > 0) source += "|";
    else if (c === "\\") {
      if (at + 1 === text.length) throw wrong("a \\ stands at its end");
      const next = String.fromCodePoint(text.codePointAt(at + 1) as number);
      source += literal(next);
      at += next.length;
    } else {
      const whole = String.fromCodePoint(text.codePointAt(at) as number);
      source += literal(whole);
      at += whole.length - 1;
    }
  }
  if (depth > 0) throw wrong("a { has no }");
  return source;
}

function setOf(inner: string, isNot: boolean, wrong: (why: string) => PawlError): string {
  const body = [...inner.replace(/\\(.)/gs, "$1")].map((c) => (c === "-" ? c : literal(c))).join("");
  const set = isNot ? `[^/${body}]` : `(?!/)[${body}]`;
  try {
    new RegExp(set, "su");
  } catch {
    throw wrong(`[${inner}] is not a set of characters`);
  }
  return set;
}

function literal(c: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(c) ? `\\${c}` : c;
}
