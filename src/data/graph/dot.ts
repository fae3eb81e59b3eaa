import { COLOURS, type GraphDescription, linesOf, numberedEdges } from "./description.ts";

/** A graph in the language of Graphviz. */
export function dotText(graph: GraphDescription): string {
  const nodes = graph.nodes.map((node, at) => {
    const [fill, line] = COLOURS[node.kind].day;
    return `  n${at} [label="${linesOf(node).map(escaped).join("\\n")}", fillcolor="${fill}", color="${line}"];`;
  });
  const edges = numberedEdges(graph).map(([from, to]) => `  n${from} -> n${to};`);
  return [
    "digraph {",
    '  node [shape=box, style="rounded,filled", fontname="Courier", fontsize=11, fontcolor="#0f172a"];',
    '  edge [color="#64748b"];',
    ...nodes,
    ...edges,
    "}",
    "",
  ].join("\n");
}

/** In quotes, Graphviz knows escapes that begin with a backslash, and entities as HTML has them. */
function escaped(line: string): string {
  return line.replaceAll("&", "&amp;").replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
