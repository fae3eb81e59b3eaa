import type { AnyNode, Identifier, Program } from "acorn";
import { nodes, parser } from "./parse.ts";

/**
 * Where a program uses names that it does not define, in the order of the text. A name that is only asked whether it
 * exists, as in `typeof window === "undefined"`, may well not exist, and is left out there.
 */
export function freeIdentifiers(program: Program): Identifier[] {
  const asked = askedFor(program);
  const scopes = parser().analyze(program as never, { ecmaVersion: 2026, sourceType: "module" });
  return (scopes.globalScope?.through ?? [])
    .map(({ identifier }) => identifier as unknown as Identifier)
    .filter((identifier) => !asked.has(identifier))
    .sort((a, b) => a.start - b.start);
}

const COMPARISONS = new Set(["===", "!==", "==", "!="]);

/** The identifiers whose existence is asked for. Minifiers write `typeof window > "u"`. */
function askedFor(program: Program): Set<AnyNode> {
  const asked = new Set<AnyNode>();
  for (const node of nodes(program)) {
    if (node.type !== "BinaryExpression") continue;
    const { operator, left, right } = node;
    for (const [kind, text] of [
      [left, right],
      [right, left],
    ]) {
      if (kind?.type !== "UnaryExpression" || kind.operator !== "typeof") continue;
      if (kind.argument.type !== "Identifier" || text?.type !== "Literal") continue;
      const forExistence = COMPARISONS.has(operator)
        ? text.value === "undefined"
        : (operator === "<" || operator === ">") && text.value === "u";
      if (forExistence) asked.add(kind.argument);
    }
  }
  return asked;
}
