import { type Exception, exceptions } from "./exceptions.ts";
import { type Kind, openLookups } from "./lookups.ts";

const CURE: Readonly<Record<Kind, string>> = {
  member: "use a Map, or own() and setOwn() of src/own.ts",
  in: "use a Map, or Object.hasOwn()",
  Reflect: "use a Map, or own() and setOwn() of src/own.ts",
  destructuring: "use a Map, or own() of src/own.ts",
  "Object.assign": "use an object literal with ..., or setOwn() of src/own.ts for each entry",
};

/**
 * One line for each place below these folders of the checkout at `root` where the text of a key decides what is found
 * on an object, and for each exception that no place needs any more.
 */
export function lookupViolations(
  root: string,
  folders: readonly string[],
  allowed: readonly Exception[] = exceptions,
): string[] {
  const needed = new Set<Exception>();
  const violations: string[] = [];
  for (const { file, line, text, kind } of openLookups(root, folders)) {
    if (file === "src/own.ts") continue;
    const exception = allowed.find((each) => each.file === file && each.text === text);
    if (exception !== undefined) needed.add(exception);
    else violations.push(`${file}:${line}: ${text} may find what every object inherits; ${CURE[kind]}`);
  }
  for (const exception of allowed) {
    if (!needed.has(exception))
      violations.push(`${exception.file}: does not need its exception for ${exception.text}`);
  }
  return violations;
}
