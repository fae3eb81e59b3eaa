import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";

/** What a command line for the tests names. */
export interface Named {
  /** Null where it names none, which means all of the ring. */
  readonly files: readonly string[] | null;
  readonly flags: readonly string[];
}

/** Tells files, folders and patterns from flags and their values; throws one sentence where a word is none of them. */
export function namedBy(words: readonly string[]): Named {
  const paths = words.filter(isPath);
  const flags = words.filter((word) => !isPath(word));
  const stray = flags.find((word, at) => !word.startsWith("-") && !takesValue(flags[at - 1]));
  if (stray !== undefined)
    throw new Error(
      `"${stray}" is neither a file, a folder, nor a flag of node --test: name one, or --test-name-pattern=${stray}.`,
    );
  const files = paths.flatMap((path) => {
    const below = filesBelow(path);
    if (below.length === 0) throw new Error(`No test file is at ${path}.`);
    return below;
  });
  return { files: files.length > 0 ? files : null, flags };
}

/** A word that names a file or a folder, and is not the value of a flag. */
function isPath(word: string): boolean {
  return !word.startsWith("-") && (existsSync(word) || /[*{]/.test(word));
}

function takesValue(before: string | undefined): boolean {
  return before?.startsWith("--") === true && !before.includes("=");
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return globSync(path);
  return statSync(path).isDirectory() ? globSync(join(path, "**/*.test.ts")) : [path];
}
