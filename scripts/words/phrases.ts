import { parseSync, Visitor } from "oxc-parser";

/** A phrase that STYLE forbids, and what stands in its place. */
interface Phrase {
  readonly pattern: RegExp;
  readonly instead: string;
}

const PHRASES: readonly Phrase[] = [
  {
    pattern: /(?<!\bthere\s+)\bis\s+no\s+(?!longer\b|shorter\b|more\b|less\b|fewer\b|larger\b|smaller\b)/gi,
    instead: "is not a, has no, or does not",
  },
  { pattern: /\bmend(?:s|ed|ing)?\b/gi, instead: "fix, correct" },
  { pattern: /\b(?:whoever|whosoever)\b/gi, instead: "name the actor" },
  { pattern: /(?<!`)\b(?:nobody|somebody|anybody)\b/gi, instead: "name the actor" },
  { pattern: /\banew\b/gi, instead: "again" },
  { pattern: /\b(?:comes?|came|coming)\s+by\b/gi, instead: "reach" },
  { pattern: /\bshall\b/gi, instead: "should, must, or will" },
];

/** A forbidden phrase in a text that people read. */
export interface FoundPhrase {
  readonly line: number;
  readonly text: string;
  readonly instead: string;
}

/** The forbidden phrases in a file: of a module in its comments and messages, of any other file in the whole text. */
export function phrasesIn(file: string, source: string): FoundPhrase[] {
  const found: FoundPhrase[] = [];
  for (const [start, text] of file.endsWith(".ts") ? textsOf(file, source) : [[0, source] as const])
    for (const { pattern, instead } of PHRASES)
      for (const match of text.matchAll(pattern)) {
        const at = start + match.index;
        const line = source.slice(0, at).split("\n").length;
        found.push({ line, text: excerpt(text, match.index, match[0].length), instead });
      }
  return found.sort((a, b) => a.line - b.line);
}

/** Comments and messages with their offsets. A string without a blank is a name or a value, and not a message. */
function textsOf(file: string, source: string): (readonly [start: number, text: string])[] {
  const texts: (readonly [number, string])[] = [];
  const { program, comments } = parseSync(file, source);
  // Stars and slashes at the beginning of a line become blanks, so that a phrase is found across a line end and keeps its offset.
  const plain = (text: string) =>
    text.replace(/(\n[ \t]*)(?:\*|\/\/)/g, (all, line) => line.padEnd(all.length));
  let end = -1;
  for (const comment of comments) {
    const last = texts.at(-1);
    // Comments that follow one another line by line are one text.
    if (last !== undefined && comment.type === "Line" && source.slice(end, comment.start).trim() === "")
      texts[texts.length - 1] = [last[0], plain(source.slice(last[0], comment.end))];
    else texts.push([comment.start, plain(source.slice(comment.start, comment.end))]);
    end = comment.end;
  }
  const message = ({ start, end }: { readonly start: number; readonly end: number }) => {
    const text = source.slice(start, end);
    if (/\s/.test(text)) texts.push([start, text]);
  };
  const visitor = new Visitor({
    Literal(node) {
      if (typeof node.value === "string") message(node);
    },
    TemplateElement: message,
  });
  visitor.visit(program);
  return texts;
}

function excerpt(text: string, at: number, length: number): string {
  return text
    .slice(Math.max(0, at - 30), at + length + 30)
    .replace(/\s+/g, " ")
    .trim();
}
