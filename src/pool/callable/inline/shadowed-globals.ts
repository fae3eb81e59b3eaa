import type { AnyNode, Identifier, Program } from "acorn";
import { nodes } from "./parse.ts";

/** A name of the program that is also a global of Node, where the program means what it imported under it. */
export interface ShadowedGlobal {
  readonly name: string;
  /** Where the program has it from. */
  readonly module: string;
}

/** Globals that wait for a callback, and functions that give a promise in the module. */
const TIMERS: ReadonlySet<string> = new Set(["setTimeout", "setImmediate", "setInterval"]);

/**
 * The first of `free`, the identifiers a program does not define, that is used as only the export of a module of Node
 * can be, and not the global of the same name: `crypto.createHash`, or `await setTimeout(100)`. Null when there is
 * none; most names say nothing about where they are from.
 */
export function shadowedGlobal(program: Program, free: readonly Identifier[]): ShadowedGlobal | null {
  const candidates = new Set<AnyNode>(free.filter(({ name }) => name === "crypto" || TIMERS.has(name)));
  if (candidates.size === 0) return null;
  for (const node of nodes(program)) {
    const crypto = membersTaken(node, candidates).some(onlyInModule);
    if (crypto) return { name: "crypto", module: "node:crypto" };
    const awaited = awaitedCallee(node);
    if (awaited?.type === "Identifier" && TIMERS.has(awaited.name) && candidates.has(awaited)) {
      return { name: awaited.name, module: "node:timers/promises" };
    }
  }
  return null;
}

/** The names under which this very node takes something from `crypto`. */
function membersTaken(node: AnyNode, candidates: ReadonlySet<AnyNode>): string[] {
  if (node.type === "MemberExpression") {
    const { object, property, computed } = node;
    const named = !computed && property.type === "Identifier" && isCrypto(object, candidates);
    return named ? [property.name] : [];
  }
  if (node.type !== "VariableDeclarator" || node.id.type !== "ObjectPattern") return [];
  if (!node.init || !isCrypto(node.init, candidates)) return [];
  return node.id.properties.flatMap((each) =>
    each.type === "Property" && !each.computed && each.key.type === "Identifier" ? [each.key.name] : [],
  );
}

function isCrypto(node: AnyNode, candidates: ReadonlySet<AnyNode>): boolean {
  return node.type === "Identifier" && node.name === "crypto" && candidates.has(node);
}

function onlyInModule(member: string): boolean {
  return !(member in globalThis.crypto) && member in process.getBuiltinModule("node:crypto");
}

function awaitedCallee(node: AnyNode): AnyNode | null {
  if (node.type === "AwaitExpression" && node.argument.type === "CallExpression") return node.argument.callee;
  if (node.type === "ForOfStatement" && node.await && node.right.type === "CallExpression") {
    return node.right.callee;
  }
  return null;
}
