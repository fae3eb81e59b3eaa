import type { Declaration, Declarations } from "./declarations.ts";

/** The public face of one module as text: what it exports, and the types that this mentions and that have no export. */
export function report(module: string, entry: string, declarations: Declarations): string {
  const exported = [...declarations.exportsOf(entry)].sort(([a], [b]) => (a < b ? -1 : 1));
  const hidden = hiddenBehind(
    exported.flatMap(([, found]) => found),
    declarations,
  );
  const parts = [
    `# ${module}`,
    "",
    "Written by `npm run api` from the sources.",
    "",
    ...fenced(exported.map(([name, found]) => shown(name, found))),
  ];
  if (hidden.length > 0)
    parts.push("", "## Mentioned, and not exported", "", ...fenced(hidden.map(({ text }) => text)));
  return `${parts.join("\n")}\n`;
}

function shown(name: string, found: readonly Declaration[]): string {
  return found
    .map((each) => (each.name === name ? each.text : `${each.text}\n// exported as ${name}`))
    .join("\n");
}

function fenced(texts: readonly string[]): string[] {
  return ["```ts", texts.join("\n\n"), "```"];
}

function hiddenBehind(exported: readonly Declaration[], declarations: Declarations): Declaration[] {
  const seen = new Set<Declaration>(exported);
  const hidden: Declaration[] = [];
  for (const queue = [...exported]; queue.length > 0; ) {
    const { file, mentions } = queue.shift() as Declaration;
    for (const name of mentions) {
      for (const found of declarations.find(file, name)) {
        if (seen.has(found)) continue;
        seen.add(found);
        hidden.push(found);
        queue.push(found);
      }
    }
  }
  return hidden.sort((a, b) => (a.name < b.name ? -1 : 1));
}
