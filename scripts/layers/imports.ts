import { parseSync } from "oxc-parser";

/** One mention of another module in a source file. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Loaded apart, as a worker or a file, and not part of the importing module's graph. */
  readonly apart: boolean;
}

type Node = { readonly type: string; readonly start: number } & Readonly<Record<string, unknown>>;

/**
 * Every module a source names: static, dynamic and type imports, `export … from`, `require`,
 * `import.meta.resolve("…")` and `new URL("…", import.meta.url)`. Throws when the source cannot be parsed.
 */
export function importsOf(path: string, source: string): Import[] {
  const { program, errors } = parseSync(path, source, { lang: "ts" });
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const found: Import[] = [];
  visit(program, (node) => {
    const named = namedModule(node);
    if (named === undefined) return;
    const line = source.slice(0, node.start).split("\n").length;
    found.push({ specifier: named, line, apart: node.type === "NewExpression" });
  });
  return found;
}

function namedModule(node: Node): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return text(node.source);
    case "TSExternalModuleReference":
      return text(node.expression);
    case "CallExpression":
      return isLoader(node.callee) ? text(first(node.arguments)) : undefined;
    case "NewExpression":
      return isName(node.callee, "URL") && isModuleUrl(second(node.arguments))
        ? text(first(node.arguments))
        : undefined;
    default:
      return undefined;
  }
}

/** `require` or `import.meta.resolve`. */
function isLoader(value: unknown): boolean {
  if (isName(value, "require")) return true;
  return isMember(value, "resolve") && isNode(value.object) && value.object.type === "MetaProperty";
}

/** `import.meta.url` */
function isModuleUrl(value: unknown): boolean {
  return isMember(value, "url") && isNode(value.object) && value.object.type === "MetaProperty";
}

function isMember(value: unknown, property: string): value is Node {
  return isNode(value) && value.type === "MemberExpression" && isName(value.property, property);
}

function isName(value: unknown, name: string): boolean {
  return isNode(value) && value.type === "Identifier" && value.name === name;
}

function first(values: unknown): unknown {
  return Array.isArray(values) ? values[0] : undefined;
}

function second(values: unknown): unknown {
  return Array.isArray(values) ? values[1] : undefined;
}

/** The text of a literal; a module that is only known at run time cannot be checked. */
function text(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === "TSLiteralType") return text(value.literal);
  if (value.type === "TemplateLiteral") return templateText(value);
  return value.type === "Literal" && typeof value.value === "string" ? value.value : undefined;
}

/** A name whose only unknown is its ending, `.ts` in the sources and `.js` in the package, means the source. */
function templateText({ quasis, expressions }: Node): string | undefined {
  const [beginning, ...rest] = (quasis as { value: { cooked: string } }[]).map((quasi) => quasi.value.cooked);
  if (Array.isArray(expressions) && expressions.length === 0) return beginning;
  return rest.length === 1 && rest[0] === "" && beginning ? `${beginning}.ts` : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Partial<Node>).type === "string";
}

function visit(value: unknown, onNode: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const each of value) visit(each, onNode);
  } else if (isNode(value)) {
    onNode(value);
    for (const each of Object.values(value)) visit(each, onNode);
  }
}
