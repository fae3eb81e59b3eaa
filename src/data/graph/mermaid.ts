import { COLOURS, type GraphDescription, linesOf, numberedEdges } from "./description.ts";

/** A graph in the language of Mermaid, which GitHub and many editors draw. */
export function mermaidText(graph: GraphDescription): string {
  const kinds = [...new Set(graph.nodes.map(({ kind }) => kind))].sort();
  return [
    "flowchart TD",
    ...graph.nodes.map((node, at) => `  n${at}["${linesOf(node).map(escaped).join("<br>")}"]:::${node.kind}`),
    ...numberedEdges(graph).map(([from, to]) => `  n${from} --> n${to}`),
    ...kinds.map((kind) => {
      const [fill, line] = COLOURS[kind].day;
      return `  classDef ${kind} fill:${fill},stroke:${line},color:#0f172a`;
    }),
    "",
  ].join("\n");
}

/**
 * Characters that mean nothing to Mermaid. It looks for directives, comments, entities, HTML and Markdown even in quotes, so that
 * all others are written as numbers.
 */
const HARMLESS = /[^\p{L}\p{N} ,:=?!'()/_+…→·-]/gu;

function escaped(line: string): string {
  return (
    line
      .replace(HARMLESS, (character) => `#${character.codePointAt(0)};`)
      // A list, in Markdown.
      .replace(/^[-+]/, (sign) => `#${sign.codePointAt(0)};`)
  );
}
