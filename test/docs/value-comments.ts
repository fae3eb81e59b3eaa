/** What is printed, or a call, with its value in a comment: `console.log(lengths); // [ 1, 2, 3 ]`. */
const PRINTED = /^(?<before>.*?)console\.log\((?<expression>.*)\); \/\/ (?<stated>.+)$/;
const CALLED = /^(?<before>\s*)(?<expression>\w+\(.*\)); \/\/ (?<stated>.+)$/;

/**
 * A program that fails where a value differs from its comment. Several values of a loop are written `// 1, then 2`. Null where the program
 * has no such comment.
 */
export function withAssertions(code: string): string | null {
  const stated: string[] = [];
  const lines = code.split("\n").map((line) => {
    const { before, expression, stated: text = "" } = (PRINTED.exec(line) ?? CALLED.exec(line))?.groups ?? {};
    if (expression === undefined) return line;
    const at = stated.push(`[${text.split(", then ").join(", ")}]`) - 1;
    return `${before}(saidOf[${at}] ??= []).push(${expression});`;
  });
  if (stated.length === 0) return null;
  return [
    'import { deepEqual as isAsStated } from "node:assert/strict";',
    'import { isMainThread as isProgram } from "node:worker_threads";',
    "const saidOf: unknown[][] = [];",
    ...lines,
    // A worker that imports the program for a function of it goes past what the program says.
    `if (isProgram) isAsStated(saidOf, [${stated.join(", ")}]);`,
  ].join("\n");
}
