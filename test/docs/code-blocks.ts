import { readFileSync } from "node:fs";

/** A block of code in a page, or in the `@example` of a doc comment. */
export interface CodeBlock {
  /** Where it stands, for people: `docs/tasks.md:12`. */
  readonly name: string;
  /** `ts`, `sh`, or `console` for commands together with what they print. */
  readonly language: string;
  readonly code: string;
  /** What the page leaves out and the program needs, such as the reader's own functions. */
  readonly prelude: string;
  /** What it prints, where the page says so. */
  readonly output: string | null;
}

const FENCE = /^(?<indent> *)```(?<language>\w*)\s*$/;

/**
 * The blocks of code in a page. In front of one of TypeScript, an HTML comment that begins with `ts:` holds its prelude. A block of `text`
 * right behind one, after a line that ends in "prints:", is its output.
 */
export function codeBlocks(path: string, name: string): CodeBlock[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const blocks: { -readonly [Key in keyof CodeBlock]: CodeBlock[Key] }[] = [];
  let prelude = "";
  let printsNext = false;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    const comment = /^<!-- ts:(.*)$/.exec(line);
    if (comment !== null) {
      const text = [comment[1] ?? ""];
      while (!text.at(-1)?.includes("-->") && at + 1 < lines.length) text.push(lines[++at] as string);
      prelude = text.join("\n").replace("-->", "").trim();
      continue;
    }
    const { groups } = FENCE.exec(line) ?? {};
    if (groups === undefined) {
      if (line.trim() !== "") {
        printsNext = /prints:$/.test(line);
        prelude = "";
      }
      continue;
    }
    const start = at + 1;
    do at++;
    while (at < lines.length && !FENCE.test(lines[at] as string));
    const code = lines
      .slice(start, at)
      .map((text) => text.slice(groups.indent?.length ?? 0))
      .join("\n");
    const last = blocks.at(-1);
    const { language = "" } = groups;
    if (language === "text" && printsNext && last !== undefined) last.output = code;
    else blocks.push({ name: `${name}:${start}`, language, code, prelude, output: null });
    prelude = "";
    printsNext = false;
  }
  return blocks;
}

/** The blocks in the `@example`s of a doc comment. */
export function exampleBlocks(doc: string, name: string): CodeBlock[] {
  const text = doc.replaceAll(/^\s*\* ?/gm, "");
  return [...text.matchAll(/@example[^`]*```ts\n(.*?)```/gs)].map(([, code = ""], at) => ({
    name: `${name}${at > 0 ? ` (${at + 1})` : ""}`,
    language: "ts",
    code,
    prelude: "",
    output: null,
  }));
}
