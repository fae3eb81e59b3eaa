import { parseSync } from "oxc-parser";

/** A type name that more than one floor declares, with the files. */
export interface SharedTypeName {
  readonly name: string;
  readonly files: readonly string[];
}

/** The floor of a source file; each end of `connect` is one of its own, and `src` itself is the foundation. */
function floorOf(file: string): string {
  const [, floor = "", end = ""] = file.split("/");
  if (floor.endsWith(".ts")) return "foundation";
  return floor === "connect" && !end.endsWith(".ts") ? `connect/${end}` : floor;
}

/** The exported types, interfaces, classes and enums whose name stands on more than one floor. */
export function sharedTypeNames(sources: ReadonlyMap<string, string>): SharedTypeName[] {
  const files = new Map<string, string[]>();
  for (const [file, source] of sources)
    for (const name of declaredTypes(file, source)) files.set(name, [...(files.get(name) ?? []), file]);
  return [...files]
    .filter(([, all]) => new Set(all.map(floorOf)).size > 1)
    .map(([name, all]) => ({ name, files: all.sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function declaredTypes(file: string, source: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of parseSync(file, source).program.body) {
    if (node.type !== "ExportNamedDeclaration") continue;
    const { declaration } = node;
    if (
      declaration?.type === "TSInterfaceDeclaration" ||
      declaration?.type === "TSTypeAliasDeclaration" ||
      declaration?.type === "TSEnumDeclaration" ||
      declaration?.type === "ClassDeclaration"
    )
      if (declaration.id) names.add(declaration.id.name);
    // A name that is given at the door, such as `type Line as SlotGroup`.
    for (const { local, exported, exportKind } of node.specifiers) {
      const isType = node.exportKind === "type" || exportKind === "type";
      if (
        isType &&
        exported.type === "Identifier" &&
        local.type === "Identifier" &&
        local.name !== exported.name
      )
        names.add(exported.name);
    }
  }
  return names;
}
