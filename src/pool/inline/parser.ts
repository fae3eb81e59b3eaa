import { createRequire } from "node:module";

interface Parser {
  readonly parse: typeof import("acorn").parse;
  readonly analyze: typeof import("eslint-scope").analyze;
}

let loaded: Parser | undefined;

/**
 * What reads JavaScript. It is loaded when the first inline function is checked: every worker loads this package,
 * and few of them check functions, which cannot wait for an `import()` either.
 */
export function parser(): Parser {
  loaded ??= load();
  return loaded;
}

function load(): Parser {
  const requireHere = createRequire(import.meta.url);
  // Only `node --eval` has a global of that name, which looks in the working directory.
  if ("require" in globalThis) return taken(requireHere("acorn"), requireHere("eslint-scope"));
  try {
    // There is no `require` in a module, but bundlers put what it names into the bundle.
    return taken(require("acorn"), require("eslint-scope"));
  } catch {
    return taken(requireHere("acorn"), requireHere("eslint-scope"));
  }
}

function taken({ parse }: typeof import("acorn"), { analyze }: typeof import("eslint-scope")): Parser {
  return { parse, analyze };
}
