import { createRequire } from "node:module";
import type { AnyNode, ArrowFunctionExpression, ClassExpression, FunctionExpression, Program } from "acorn";
import { errorText } from "../../../error-text.ts";

/** The source text of a function, parsed. */
export interface ReadFunction {
  /** The function itself. */
  readonly root: ArrowFunctionExpression | FunctionExpression | ClassExpression;
  /** It, in a frame that defines no names. */
  readonly program: Program;
  /** The function as an expression. */
  readonly source: string;
}

/** Lets an arrow function stand in it that has `super` or `new.target` from around, so that those can be named. */
const FRAME = ["class extends null { constructor() { (", "\n) } }"] as const;
const METHOD_FRAME = ["class extends null { ", "\n}"] as const;

/**
 * Reads what `toString` of a function gave. A method or an accessor becomes an ordinary function; in a worker it has
 * no object anyway. `problem` says why the text cannot be read.
 */
export function readFunction(text: string): ReadFunction | { readonly problem: string } {
  try {
    const program = parseIn(FRAME, text);
    return { root: expressionIn(program), program, source: text };
  } catch (error) {
    return readMethod(text) ?? { problem: withoutPosition(error) };
  }
}

function readMethod(text: string): ReadFunction | null {
  let program: Program;
  try {
    program = parseIn(METHOD_FRAME, text);
  } catch {
    return null;
  }
  const [method] = classIn(program).body.body;
  if (method?.type !== "MethodDefinition") return null;
  const { value: root } = method;
  const rest = text.slice(root.start - METHOD_FRAME[0].length - 1);
  return {
    root,
    program,
    source: `${root.async ? "async " : ""}function${root.generator ? "*" : ""} ${rest}`,
  };
}

/** As strict code, which everything in a module is, and everything in a worker. */
function parseIn([before, after]: readonly [string, string], text: string): Program {
  return parser().parse(`(${before}${text}${after})`, {
    ecmaVersion: "latest",
    sourceType: "module",
    ranges: true,
    checkPrivateFields: false,
  });
}

function classIn(program: Program): ClassExpression {
  const [statement] = program.body;
  if (statement?.type !== "ExpressionStatement" || statement.expression.type !== "ClassExpression") {
    throw new TypeError("The text breaks out of its frame.");
  }
  return statement.expression;
}

function expressionIn(program: Program): ReadFunction["root"] {
  const [frame] = classIn(program).body.body;
  const [statement] = frame?.type === "MethodDefinition" ? frame.value.body.body : [];
  const root = statement?.type === "ExpressionStatement" ? statement.expression : undefined;
  switch (root?.type) {
    case "ArrowFunctionExpression":
    case "FunctionExpression":
    case "ClassExpression":
      return root;
    default:
      throw new TypeError("The text is not that of a function.");
  }
}

/** Positions count from the frame, and so say nothing about the function. */
function withoutPosition(error: unknown): string {
  return errorText(error).replace(/ \(\d+:\d+\)$/, "");
}

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

/** The nodes right below a node, in the order of the text. */
export function* children(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) yield* value.filter(isNode);
    else if (isNode(value)) yield value;
  }
}

/** The node and all below it. */
export function* nodes(root: AnyNode): Generator<AnyNode> {
  yield root;
  for (const child of children(root)) yield* nodes(child);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
