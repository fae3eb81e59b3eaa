import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { GraphDescription, GraphFormat } from "./description.ts";
import { dotText } from "./dot.ts";
import { mermaidText } from "./mermaid.ts";
import { svgText } from "./svg.ts";

/** A graph as text in a format. Throws PawlError("graph.format") for another one, PawlError("graph.size"). */
export function drawGraph(graph: GraphDescription, format: GraphFormat): string {
  if (format === "dot") return dotText(graph);
  if (format === "mermaid") return mermaidText(graph);
  if (format === "svg") return svgText(graph);
  throw new PawlError(
    "graph.format",
    `A graph is drawn as "dot", "mermaid" or "svg", not as ${quoted(format)}.`,
  );
}
