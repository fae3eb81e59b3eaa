import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";

/** An error that a user can meet: its code, and what it says, with … for what is only known at run time. */
export interface ErrorCode {
  readonly code: string;
  readonly messages: ReadonlySet<string>;
}

/** `csv.unclosed-quote`: a floor or a subject, and what is wrong. Names of files look alike. */
const CODE = /^[a-z][a-z0-9]*(\.[a-z0-9-]+)+$/;
/** Names of metrics and attributes of OpenTelemetry. */
const TELEMETRY = /^(messaging|pawl)\./;
const FILE = /\.(ts|js|cjs|mjs|json|csv|db|md|so|log|jsonl|npy)$/;

/** Every error code below a folder of sources, in order, with the sentences that it comes with. */
export function errorCodes(folder: string): ErrorCode[] {
  const found = new Map<string, Set<string>>();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    if (!name.endsWith(".ts")) continue;
    for (const [code, message] of codesIn(name, readFileSync(join(folder, name), "utf8"))) {
      const messages = found.get(code) ?? new Set();
      found.set(code, messages);
      if (message !== null) messages.add(message);
    }
  }
  return [...found]
    .map(([code, messages]) => ({ code, messages }))
    .sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** Codes as they are given to an error, or to a function that makes one: first the code, then the sentence. */
function codesIn(name: string, source: string): [string, string | null][] {
  const found: [string, string | null][] = [];
  const { program } = parseSync(name, source);
  const look = (args: readonly Node[]) => {
    const [first, second] = args;
    const code = first === undefined ? null : textOf(first);
    if (code !== null && second !== undefined && isCode(code) && !code.includes("…")) {
      found.push([code, textOf(second)]);
    }
  };
  new Visitor({
    NewExpression: (node) => {
      look(node.arguments);
      // An error of an item gives the reason first, and its code as an option.
      const [reason, options] = node.arguments;
      if (options?.type !== "ObjectExpression") return;
      for (const property of options.properties) {
        if (
          property.type !== "Property" ||
          property.key.type !== "Identifier" ||
          property.key.name !== "code"
        )
          continue;
        const code = textOf(property.value);
        if (code !== null && isCode(code)) found.push([code, reason === undefined ? null : textOf(reason)]);
      }
    },
    CallExpression: (node) => look(node.arguments),
  }).visit(program);
  return found;
}

function isCode(text: string): boolean {
  return CODE.test(text) && !FILE.test(text) && !TELEMETRY.test(text);
}

/** The text of a literal, of a template, or of parts that are joined; null where nothing of it is known. */
function textOf(node: Node): string | null {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" ? node.value : null;
    case "TemplateLiteral":
      return node.quasis.map((quasi) => quasi.value.cooked ?? "").join("…");
    case "BinaryExpression": {
      if (node.operator !== "+") return null;
      const sides = [node.left, node.right].map((side) => textOf(side));
      return sides.every((side) => side === null) ? null : sides.map((side) => side ?? "…").join("");
    }
    case "ParenthesizedExpression":
      return textOf(node.expression);
    case "ConditionalExpression":
      return textOf(node.consequent);
    default:
      return null;
  }
}
