import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Node, type ObjectExpression, parseSync, Visitor } from "oxc-parser";

/** An error that a user can meet: its code, and what it says, with … for what is only known at run time. */
export interface ErrorCode {
  readonly code: string;
  readonly messages: ReadonlySet<string>;
}

/** `csv.unclosed-quote`: a floor or a subject, and what is wrong. Names of files and columns look alike. */
const CODE = /^[a-z][a-z0-9]*(\.[a-z0-9]+(-[a-z0-9]+)*)+$/;
/** Names of metrics and attributes of OpenTelemetry. */
const TELEMETRY = /^(messaging|pawl)\./;
const FILE = /\.(ts|js|cjs|mjs|json|csv|db|md|so|log|jsonl|npy)$/;

/** Every error code below a folder of sources, in order, with the sentences that it comes with. */
export function errorCodes(folder: string): ErrorCode[] {
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    // The list that is made of them would keep a code that is gone.
    .filter((name) => name.endsWith(".ts") && name !== "error-codes.ts")
    .sort()
    .map((name) => ({ name, source: readFileSync(join(folder, name), "utf8") }));
  return codesIn(sources);
}

/** The codes in these sources. A text that is handed on elsewhere is one if it has the subject of a code that is given with its sentence. */
export function codesIn(sources: readonly { readonly name: string; readonly source: string }[]): ErrorCode[] {
  const found = new Map<string, Set<string>>();
  const others = new Set<string>();
  for (const { name, source } of sources) {
    const { given, literals } = lookedThrough(name, source);
    for (const [code, messages] of given) {
      const known = found.get(code) ?? new Set();
      found.set(code, known);
      for (const message of messages) known.add(message);
    }
    for (const literal of literals) others.add(literal);
  }
  const subjects = new Set([...found.keys()].map(subjectOf));
  for (const code of others) {
    if (subjects.has(subjectOf(code)) && !found.has(code)) found.set(code, new Set());
  }
  return [...found]
    .map(([code, messages]) => ({ code, messages }))
    .sort((a, b) => (a.code < b.code ? -1 : 1));
}

export function subjectOf(code: string): string {
  return code.slice(0, code.indexOf("."));
}

interface Look {
  /** Codes as they are given to an error, or to a function that makes one: first the code, then the sentence. */
  readonly given: readonly (readonly [string, readonly string[]])[];
  /** Every other text that looks like a code. */
  readonly literals: readonly string[];
}

function lookedThrough(name: string, source: string): Look {
  const given: [string, readonly string[]][] = [];
  const literals: string[] = [];
  const { program } = parseSync(name, source);
  const add = (codes: readonly string[], messages: readonly string[]) => {
    for (const code of codes) if (isCode(code)) given.push([code, messages]);
  };
  new Visitor({
    NewExpression: ({ callee, arguments: [first, second] }) => {
      if (second === undefined || first === undefined) return;
      const messages = textsOf(second);
      const isError = callee.type === "Identifier" && callee.name.endsWith("Error");
      if (isError || messages.some(isSentence)) add(textsOf(first), messages);
      // An error of an item gives the reason first, and its code as an option.
      if (second.type === "ObjectExpression") add(propertyOf(second, "code"), textsOf(first));
    },
    CallExpression: ({ callee, arguments: [first, second] }) => {
      if (first === undefined || second === undefined) return;
      const messages = textsOf(second);
      if (callee.type === "Super" || messages.some(isSentence)) add(textsOf(first), messages);
    },
    ObjectExpression: (node) => {
      const reasons = propertyOf(node, "reason");
      if (reasons.length > 0) add(propertyOf(node, "code"), reasons);
    },
    Literal: ({ value }) => {
      if (typeof value === "string" && isCode(value)) literals.push(value);
    },
  }).visit(program);
  return { given, literals };
}

function isCode(text: string): boolean {
  return CODE.test(text) && !FILE.test(text) && !TELEMETRY.test(text);
}

function isSentence(text: string): boolean {
  return text.includes(" ");
}

function propertyOf(node: ObjectExpression, name: string): string[] {
  return node.properties.flatMap((property) =>
    property.type === "Property" && property.key.type === "Identifier" && property.key.name === name
      ? textsOf(property.value)
      : [],
  );
}

/** The texts that a literal, a template, parts that are joined or a choice may be; none where nothing of it is known. */
function textsOf(node: Node): string[] {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" ? [node.value] : [];
    case "TemplateLiteral":
      return [node.quasis.map((quasi) => quasi.value.cooked ?? "").join("…")];
    case "BinaryExpression": {
      if (node.operator !== "+") return [];
      const [left, right] = [textsOf(node.left), textsOf(node.right)];
      if (left.length + right.length === 0) return [];
      const ends = right.length > 0 ? right : ["…"];
      return (left.length > 0 ? left : ["…"]).flatMap((begin) => ends.map((end) => begin + end));
    }
    case "ParenthesizedExpression":
      return textsOf(node.expression);
    case "ConditionalExpression":
      return [...textsOf(node.consequent), ...textsOf(node.alternate)];
    case "LogicalExpression":
      return [...textsOf(node.left), ...textsOf(node.right)];
    default:
      return [];
  }
}
