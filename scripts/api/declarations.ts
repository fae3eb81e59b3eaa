import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";

/** One declaration of a `.d.ts` file, without its comments and without the private parts of classes. */
export interface Declaration {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  /** The doc comment in front of it; null where there is none. */
  readonly doc: string | null;
  /** The doc comments inside of it, such as those of methods. */
  readonly docs: readonly string[];
  /** Whether it is a type alone, and no value. */
  readonly isType: boolean;
  /** Names of types and values that it mentions. */
  readonly mentions: ReadonlySet<string>;
}

/** Where a name of a module comes from. */
interface Source {
  readonly file: string;
  readonly name: string;
}

interface Module {
  readonly declared: Map<string, Declaration[]>;
  /** Names that stand in this module and are declared in another of the package. */
  readonly imported: Map<string, Source>;
  readonly exported: Map<string, Source>;
  /** Files of which everything is exported. */
  readonly stars: string[];
}

/** The declarations of a package, read from its `.d.ts` files when they are first asked for. */
export class Declarations {
  readonly #modules = new Map<string, Module>();

  /** What a module exports, by the name that it has for importers. */
  exportsOf(file: string): Map<string, Declaration[]> {
    const { exported, stars } = this.#module(file);
    const all = new Map<string, Declaration[]>();
    for (const star of stars) for (const [name, found] of this.exportsOf(star)) all.set(name, found);
    for (const [name, source] of exported) {
      const found = this.find(source.file, source.name);
      if (found.length > 0) all.set(name, found);
    }
    return all;
  }

  /** The declarations that a name has in a file: more than one for overloads; none for what another package declares. */
  find(file: string, name: string): Declaration[] {
    const { declared, imported, exported, stars } = this.#module(file);
    const here = declared.get(name);
    if (here !== undefined) return here;
    const source = imported.get(name) ?? exported.get(name);
    if (source !== undefined && (source.file !== file || source.name !== name))
      return this.find(source.file, source.name);
    for (const star of stars) {
      const found = this.find(star, name);
      if (found.length > 0) return found;
    }
    return [];
  }

  #module(file: string): Module {
    let module = this.#modules.get(file);
    if (module === undefined) {
      module = read(file);
      this.#modules.set(file, module);
    }
    return module;
  }
}

function read(file: string): Module {
  const source = readFileSync(file, "utf8");
  const { program, comments, errors } = parseSync(file, source);
  if (errors[0] !== undefined) throw new Error(`${file}: ${errors[0].message}`);
  const module: Module = { declared: new Map(), imported: new Map(), exported: new Map(), stars: [] };
  const target = (specifier: string) => resolve(dirname(file), specifier.replace(/\.ts$/, ".d.ts"));
  const declare = (node: Node, outer: { readonly start: number }) => {
    for (const name of namesOf(node)) {
      const before = comments.findLast(({ end }) => end <= outer.start);
      const isDoc = before?.value.startsWith("*") && source.slice(before.end, outer.start).trim() === "";
      const declaration: Declaration = {
        name,
        file,
        text: bare(source, comments, node),
        doc: isDoc ? (before?.value ?? null) : null,
        docs: comments
          .filter(({ start, end, value }) => start > node.start && end < node.end && value.startsWith("*"))
          .map(({ value }) => value),
        isType: node.type === "TSInterfaceDeclaration" || node.type === "TSTypeAliasDeclaration",
        mentions: mentionsOf(node),
      };
      module.declared.set(name, [...(module.declared.get(name) ?? []), declaration]);
    }
  };
  for (const node of program.body) {
    if (node.type === "ImportDeclaration") {
      if (!node.source.value.startsWith(".")) continue;
      for (const specifier of node.specifiers) {
        const name = specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : "default";
        module.imported.set(specifier.local.name, { file: target(node.source.value), name });
      }
    } else if (node.type === "ExportAllDeclaration") module.stars.push(target(node.source.value));
    else if (node.type === "ExportNamedDeclaration" && node.declaration != null) {
      declare(node.declaration, node);
      for (const name of namesOf(node.declaration)) module.exported.set(name, { file, name });
    } else if (node.type === "ExportNamedDeclaration") {
      const from = node.source === null ? file : target(node.source.value);
      for (const { local, exported } of node.specifiers)
        module.exported.set(nameOf(exported), { file: from, name: nameOf(local) });
    } else declare(node, node);
  }
  return module;
}

function namesOf(node: Node): string[] {
  if (node.type === "VariableDeclaration")
    return node.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []));
  const { id } = node as { readonly id?: { readonly name?: string } | null };
  return typeof id?.name === "string" ? [id.name] : [];
}

function nameOf(node: { readonly type: string; readonly name?: string; readonly value?: unknown }): string {
  return node.name ?? String(node.value);
}

/** The text of a declaration without comments, without `#private` and without blank lines. */
function bare(
  source: string,
  comments: readonly { start: number; end: number }[],
  { start, end }: Node,
): string {
  let text = "";
  let at = start;
  for (const comment of comments) {
    if (comment.start < at || comment.end > end) continue;
    text += source.slice(at, comment.start);
    at = comment.end;
  }
  text += source.slice(at, end);
  return text
    .split("\n")
    .filter((line) => line.trim() !== "" && line.trim() !== "#private;")
    .join("\n")
    .replace(/^declare /, "");
}

function mentionsOf(node: Node): Set<string> {
  const names = new Set<string>();
  new Visitor({
    TSTypeReference: ({ typeName }) => add(typeName),
    TSTypeQuery: ({ exprName }) => add(exprName),
    TSInterfaceHeritage: ({ expression }) => add(expression),
    TSClassImplements: ({ expression }) => add(expression),
    ClassDeclaration: ({ superClass }) => add(superClass),
  }).visit({
    type: "Program",
    body: [node],
    start: 0,
    end: 0,
    sourceType: "module",
    hashbang: null,
  } as never);
  return names;

  function add(value: unknown): void {
    const { type, name } = (value ?? {}) as { readonly type?: string; readonly name?: string };
    if (type === "Identifier" && name !== undefined) names.add(name);
  }
}
