/** What is printed, or a call, with its value in a comment: `console.log(lengths); // [ 1, 2, 3 ]`. Comments in words are not values. */
const VALUE = String.raw`(?<stated>(?:[\d[{"'-]|true\b|false\b|null\b|undefined\b).*)$`;
const PRINTED = new RegExp(String.raw`^(?<before>.*?)console\.log\((?<expression>.*)\); // ${VALUE}`);
const CALLED = new RegExp(String.raw`^(?<before>\s*)(?<expression>\w+\(.*\)); // ${VALUE}`);

/**
 * A program that fails where a value differs from its comment. Several values of a loop are written `// 1, then 2`. Null where the program
 * has no such comment.
 */
export function withAssertions(code: string): string | null {
  const stated: string[][] = [];
  const lines = code.split("\n").map((line) => {
    const { before, expression, stated: text = "" } = (PRINTED.exec(line) ?? CALLED.exec(line))?.groups ?? {};
    if (expression === undefined) return line;
    const at = stated.push(text.split(", then ").map(inOneSpelling)) - 1;
    return `${before}(saidOf[${at}] ??= []).push(inOneSpelling(asPrinted(${expression})));`;
  });
  if (stated.length === 0) return null;
  return [
    'import { deepEqual as isAsStated } from "node:assert/strict";',
    'import { format as asPrinted } from "node:util";',
    'import { isMainThread as isProgram } from "node:worker_threads";',
    inOneSpelling.toString().replace("(text)", "(text: string)"),
    "const saidOf: string[][] = [];",
    ...lines,
    // A worker that imports the program for a function of it goes past what the program says.
    `if (isProgram && /value[^/]*\\.ts$/.test(process.argv[1] ?? "")) isAsStated(saidOf, ${JSON.stringify(stated)});`,
  ].join("\n");
}

/** A value without what only its spelling adds: blanks, commas, quotes, and underscores in numbers. */
function inOneSpelling(text: string): string {
  return text
    .replace(/["'`]|(?<=\d)_(?=\d)/g, "")
    .replace(/[\s,]+/g, " ")
    .replace(/ ?([[\](){}:]) ?/g, "$1");
}
