import { parseSync, Visitor } from "oxc-parser";

/** A place that could write to a terminal by itself. */
export interface WayOut {
  readonly line: number;
  readonly text: string;
}

/**
 * The one writer; a child that turns what the user's own function prints to standard error; and `show()` of frames, whose table makes
 * all that is in it harmless.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  "src/cli/terminal/output.ts",
  "src/connect/objects/transfer/transform-call.ts",
  "src/data/frame/views.ts",
]);

/** Modules whose streams and descriptors a program could write through instead. */
const TERMINALS: ReadonlySet<string> = new Set([
  "node:tty",
  "tty",
  "node:console",
  "console",
  "node:process",
  "process",
]);

/**
 * Where a module reaches for standard output or standard error: `process.stdout`, by any spelling, `console`, or a
 * module that has them. Comments and texts do not count.
 */
export function waysOut(file: string, source: string): WayOut[] {
  if (ALLOWED.has(file)) return [];
  const found: WayOut[] = [];
  const add = ({ start, end }: { readonly start: number; readonly end: number }) =>
    found.push({ line: source.slice(0, start).split("\n").length, text: source.slice(start, end) });
  const isStream = (name: unknown) => name === "stdout" || name === "stderr";
  const isProcess = (node: { readonly type: string; readonly name?: unknown }) =>
    node.type === "Identifier" && node.name === "process";
  const visitor = new Visitor({
    MemberExpression(node) {
      const { object, property } = node;
      const name =
        property.type === "Identifier" && !node.computed
          ? property.name
          : property.type === "Literal"
            ? property.value
            : undefined;
      if (isStream(name) && isProcess(object)) add(node);
      if (object.type === "Identifier" && object.name === "console") add(node);
    },
    VariableDeclarator({ id, init }) {
      if (init === null || !isProcess(init) || id.type !== "ObjectPattern") return;
      for (const property of id.properties) {
        if (property.type === "Property" && property.key.type === "Identifier" && isStream(property.key.name))
          add(property);
      }
    },
    ImportDeclaration(node) {
      if (TERMINALS.has(node.source.value)) add(node);
    },
  });
  visitor.visit(parseSync(file, source).program);
  return found;
}
