import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { importsOf } from "../layers/imports.ts";

/** Modules that start something: a process, or a server in one. */
const STARTS =
  /^(node:)?child_process$|\/s3\/server\.ts$|\/connect\/postgres\/(server|index)\.ts$|^pawl\/connect\/postgres$/;

/** The isolation by which a pool, an actor or a task gets processes of its own. */
const IN_PROCESSES = /"process"/;

/** Of these test files, those that start no process and no server, however far away in the tests that would happen. */
export function quickFiles(root: string, files: readonly string[]): string[] {
  const known = new Map<string, boolean>();
  const starts = (path: string): boolean => {
    const seen = known.get(path);
    if (seen !== undefined) return seen;
    known.set(path, false);
    const text = readFileSync(path, "utf8");
    const imports = importsOf(path, text);
    const isStarting = ({ specifier }: (typeof imports)[number]) => {
      const target = specifier.startsWith(".") ? resolve(dirname(path), specifier) : specifier;
      if (STARTS.test(target)) return true;
      // The sources are what is tested: which processes they start is for the test to say.
      return target.endsWith(".ts") && !target.startsWith(join(root, "src/")) && starts(target);
    };
    const found = IN_PROCESSES.test(text) || imports.some(isStarting);
    known.set(path, found);
    return found;
  };
  return files.filter((file) => !starts(join(root, file)));
}
