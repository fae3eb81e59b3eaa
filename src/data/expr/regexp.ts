import { isRegExp } from "node:util/types";
import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";

/**
 * A regular expression of JavaScript in the common tongue of RE2 (DuckDB) and Java (Spark), with the meaning that it has in JavaScript with
 * the flag `v` or `u`: by code points, `\d`, `\w` and `\b` of ASCII.
 */
export interface PortablePattern {
  /** Its text, with its flags in front. */
  readonly text: string;
  /** The names of its groups, from group 1 on; null for one without a name. */
  readonly groups: readonly (string | null)[];
}

/** `.` in JavaScript takes no line end, of which RE2 and Java each know other ones. */
const ANY = "[^\\n\\r\\x{2028}\\x{2029}]";
const SPACES =
  "\\t\\n\\x{b}\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
const NOT_SPACES =
  "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";
const SPECIAL = /[\\^$.|?*+()[\]{}]/g;

/** A text as a pattern that finds it. */
export function literalPattern(text: string): string {
  return text.replace(SPECIAL, "\\$&");
}

/**
 * The pattern that a program gives as a RegExp or as its source. Throws PawlError("data.pattern") for what is not one, and for what not
 * every engine has.
 */
export function portablePattern(given: unknown, name: string): PortablePattern {
  if (typeof given !== "string" && !isRegExp(given))
    throw new PawlError(
      "data.argument",
      `${name}() needs a regular expression such as /^a/, not ${shown(given)}.`,
    );
  const source = typeof given === "string" ? given : given.source;
  const flags = typeof given === "string" ? "" : given.flags;
  if (flags.includes("y"))
    throw new PawlError("data.pattern", `${name}() cannot take the flag y of a regular expression.`);
  assertPattern(source, flags, name);
  return new PatternReader(source, flags, name).read();
}

function assertPattern(source: string, flags: string, name: string): void {
  try {
    new RegExp(source, flags.includes("v") ? "v" : "u");
  } catch {
    try {
      new RegExp(source);
    } catch (error) {
      throw new PawlError(
        "data.pattern",
        `${name}() is given ${quoted(source)}, which is not a regular expression.`,
        {
          cause: error,
        },
      );
    }
  }
}

/** Reads a pattern that JavaScript has accepted, from left to right. */
class PatternReader {
  readonly #source: string;
  readonly #flags: string;
  readonly #name: string;
  readonly #groups: (string | null)[] = [];
  #at = 0;
  #out = "";

  constructor(source: string, flags: string, name: string) {
    this.#source = source;
    this.#flags = flags;
    this.#name = name;
  }

  read(): PortablePattern {
    while (this.#at < this.#source.length) this.#step();
    const flags = [...this.#flags].filter((flag) => flag === "i" || flag === "m").join("");
    return { text: `${flags === "" ? "" : `(?${flags})`}${this.#out}`, groups: this.#groups };
  }

  #refuse(what: string): never {
    throw new PawlError(
      "data.pattern",
      `${this.#name}() cannot take ${quoted(this.#source)}: engines have no ${what} in regular expressions.`,
    );
  }

  #take(): string {
    const point = this.#source.codePointAt(this.#at);
    const character = point === undefined ? "" : String.fromCodePoint(point);
    this.#at += character.length;
    return character;
  }

  #step(): void {
    const character = this.#take();
    if (character === "\\") this.#out += this.#escape(false);
    else if (character === "[") this.#out += this.#set();
    else if (character === "(") this.#out += this.#group();
    else if (character === "{") this.#out += this.#count();
    else if (character === ".") this.#out += this.#flags.includes("s") ? "[\\x{0}-\\x{10ffff}]" : ANY;
    else if (character === "]" || character === "}") this.#out += `\\${character}`;
    // Java's $ also stands before a last line end, which \z does not.
    else if (character === "$" && !this.#flags.includes("m")) this.#out += "\\z";
    else this.#out += character;
  }

  /** How often: `{2,5}`, or, without the flag u, a brace that means itself. */
  #count(): string {
    const match = /^(\d+)(?:,(\d*))?\}/.exec(this.#source.slice(this.#at));
    if (match === null) return "\\{";
    const [all, from = "0", to = from] = match;
    if (Number(from) > 1000 || Number(to) > 1000) this.#refuse("repetition of more than 1,000 times");
    this.#at += all.length;
    return `{${all}`;
  }

  #group(): string {
    const rest = this.#source.slice(this.#at);
    if (!rest.startsWith("?")) {
      this.#groups.push(null);
      return "(";
    }
    if (/^\?(=|!)/.test(rest)) this.#refuse("look-ahead");
    if (/^\?<(=|!)/.test(rest)) this.#refuse("look-behind");
    const named = /^\?<([^>]+)>/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      this.#groups.push(named[1] ?? null);
      return "(";
    }
    if (!rest.startsWith("?:")) this.#refuse("flags within a part");
    this.#at += 2;
    return "(?:";
  }

  /** What stands after a backslash. */
  #escape(inSet: boolean): string {
    const character = this.#take();
    if (/[dDwW]/.test(character)) return `\\${character}`;
    if (character === "s") return inSet ? SPACES : `[${SPACES}]`;
    if (character === "S") return inSet ? NOT_SPACES : `[^${SPACES}]`;
    if (character === "b") return inSet ? "\\x{8}" : "\\b";
    if (character === "B") return "\\B";
    if (/[tnfr]/.test(character)) return `\\${character}`;
    if (character === "v") return "\\x{b}";
    if (character === "0" && !/^\d/.test(this.#source.slice(this.#at))) return "\\x{0}";
    if (/[0-9]/.test(character)) this.#refuse("back reference");
    if (character === "k") this.#refuse("back reference");
    if (character === "c") return hex((this.#take().codePointAt(0) ?? 0) % 32);
    if (character === "x" || character === "u") return this.#code(character);
    if (character === "p" || character === "P") return this.#property(character);
    return escaped(character);
  }

  #code(letter: string): string {
    const rest = this.#source.slice(this.#at);
    const match =
      letter === "x" ? /^([\da-f]{2})/i.exec(rest) : /^(?:\{([\da-f]+)\}|([\da-f]{4}))/i.exec(rest);
    if (match === null) return escaped(letter);
    this.#at += match[0].length;
    const code = Number.parseInt(match[1] ?? match[2] ?? "0", 16);
    if (code < 0xd800 || code > 0xdfff) return hex(code);
    // Two escapes of a surrogate pair are one code point.
    const low = /^\\u(d[c-f][\da-f]{2})/i.exec(this.#source.slice(this.#at));
    if (code > 0xdbff || low === null) return this.#refuse("half of a surrogate pair");
    this.#at += low[0].length;
    return hex(0x10000 + (code - 0xd800) * 0x400 + (Number.parseInt(low[1] ?? "", 16) - 0xdc00));
  }

  #property(letter: string): string {
    const match = /^\{([^}]*)\}/.exec(this.#source.slice(this.#at));
    const known = /^(?:(?:Script|sc|General_Category|gc)=)?(\w+)$/.exec(match?.[1] ?? "");
    if (match === null || known === null) return this.#refuse(`property \\${letter}`);
    const name = known[1] ?? "";
    const isScript = /^(?:Script|sc)=/.test(match[1] ?? "");
    const short = /^(?:L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/.test(name)
      ? name
      : CATEGORIES.get(name);
    if (!isScript && short === undefined) return this.#refuse(`property ${name}`);
    this.#at += match[0].length;
    return `\\${letter}{${isScript ? name : (short ?? name)}}`;
  }

  /** A set of characters, after its bracket. */
  #set(): string {
    const negated = this.#source[this.#at] === "^";
    if (negated) this.#at += 1;
    let inner = "";
    for (;;) {
      const character = this.#take();
      if (character === "]" || character === "") break;
      if (
        this.#flags.includes("v") &&
        (character === "[" || /^(--|&&)/.test(character + (this.#source[this.#at] ?? "")))
      )
        this.#refuse("sets within sets");
      inner +=
        character === "\\"
          ? this.#escape(true)
          : character === "-"
            ? this.#dash(inner)
            : escaped(character, true);
    }
    // JavaScript has sets of nothing and of everything.
    if (inner === "") return negated ? "[\\x{0}-\\x{10ffff}]" : "[^\\x{0}-\\x{10ffff}]";
    return `[${negated ? "^" : ""}${inner}]`;
  }

  /** A dash means itself at the ends of a set, and beside a class such as `\d`. */
  #dash(before: string): string {
    const isClass = /\\[dDwWpP](\{\w+\})?$/.test(before) || before.endsWith(SPACES);
    const next = this.#source.slice(this.#at, this.#at + 2);
    return before === "" || isClass || next.startsWith("]") || /^\\[dDwWsSpP]/.test(next) ? "\\-" : "-";
  }
}

const CATEGORIES: ReadonlyMap<string, string> = new Map([
  ["Letter", "L"],
  ["Lowercase_Letter", "Ll"],
  ["Uppercase_Letter", "Lu"],
  ["Mark", "M"],
  ["Number", "N"],
  ["Decimal_Number", "Nd"],
  ["Punctuation", "P"],
  ["Symbol", "S"],
  ["Separator", "Z"],
]);

function hex(code: number): string {
  return `\\x{${code.toString(16)}}`;
}

/** A character that means itself. */
function escaped(character: string, inSet = false): string {
  if (inSet) return /[[\]\\^&~|]/.test(character) ? `\\${character}` : character;
  return /[\\^$.|?*+()[\]{}/-]/.test(character)
    ? character === "/" || character === "-"
      ? character
      : `\\${character}`
    : character;
}

/** The number of a group by its number or name. */
export function groupNumber(group: unknown, { groups }: PortablePattern, name: string): number {
  const found = typeof group === "string" ? groups.indexOf(group) + 1 || -1 : group;
  if (
    typeof found === "number" &&
    Number.isInteger(found) &&
    found >= 0 &&
    found <= Math.min(9, groups.length)
  )
    return found;
  throw new PawlError(
    "data.argument",
    `${name}() is given the group ${quoted(group)}, and the pattern has ${groups.length === 0 ? "none" : `${groups.length}`}: groups are 0 for all of it, 1 to 9, or a name.`,
  );
}

/**
 * A replacement of JavaScript as parts: texts, and numbers of groups. Throws PawlError("data.argument") for a group that the pattern does not have.
 */
export function replacementParts(
  replacement: string,
  pattern: PortablePattern,
  name: string,
): readonly (string | number)[] {
  const parts: (string | number)[] = [];
  let last = 0;
  for (const match of replacement.matchAll(/\$(?:(\$)|(&)|([1-9])|<([^>]*)>)/g)) {
    parts.push(replacement.slice(last, match.index));
    if (match[1] !== undefined) parts.push("$");
    else if (match[2] !== undefined) parts.push(0);
    else parts.push(groupNumber(match[3] === undefined ? match[4] : Number(match[3]), pattern, name));
    last = match.index + match[0].length;
  }
  parts.push(replacement.slice(last));
  return parts.filter((part) => part !== "");
}
