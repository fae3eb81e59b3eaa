import { clipped } from "../../clip.ts";
import { visible } from "../../visible.ts";

/** How the memory of a node behaves, which its colour tells; `plain` where that is not known. */
export type GraphNodeKind = "plain" | "streams" | "spills" | "holds";

/** A box of a picture. Its texts may come from anywhere: from columns, files, functions. */
export interface GraphNode {
  /** Known to edges alone, and not shown. */
  readonly id: string;
  readonly label: string;
  /** Figures below the label: their names and values. */
  readonly details?: Readonly<Record<string, string>>;
  readonly kind: GraphNodeKind;
}

/** A graph without rings, as data: what flows from a node to another. */
export interface GraphDescription {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

/** The formats in which a graph is drawn. */
export type GraphFormat = "dot" | "mermaid" | "svg";

/** Cells of a label and of a detail that are shown. */
const LONGEST_LABEL = 60;
const LONGEST_DETAIL = 48;

/** Characters of a text that are looked at: one may have a hundred million. */
const LOOKED_AT = 400;

/** The fill, the line and the text of each kind of node: by day, and the fill and the line by night. */
export const COLOURS: Readonly<
  Record<
    GraphNodeKind,
    { readonly day: readonly [string, string]; readonly night: readonly [string, string] }
  >
> = {
  plain: { day: ["#f1f5f9", "#64748b"], night: ["#1e293b", "#94a3b8"] },
  streams: { day: ["#dcfce7", "#15803d"], night: ["#14321f", "#4ade80"] },
  spills: { day: ["#fef3c7", "#b45309"], night: ["#3a2a0a", "#fbbf24"] },
  holds: { day: ["#fee2e2", "#b91c1c"], night: ["#3d1616", "#f87171"] },
};

/** The lines of a box: the label, then the figures. Each is short, and gives no orders to what shows it. */
export function linesOf({ label, details = {} }: GraphNode): readonly string[] {
  return [
    short(label, LONGEST_LABEL),
    ...Object.entries(details).map(([name, value]) => short(`${name}: ${value}`, LONGEST_DETAIL)),
  ];
}

/** A number for each node, in their order. Names in the output are made of it: ids may be any text. */
function numbersOf({ nodes }: GraphDescription): ReadonlyMap<string, number> {
  return new Map(nodes.map(({ id }, at) => [id, at]));
}

/** The edges by the numbers of their nodes, each once. */
export function numberedEdges(graph: GraphDescription): readonly (readonly [from: number, to: number])[] {
  const numbers = numbersOf(graph);
  const seen = new Set<string>();
  return graph.edges.flatMap(({ from, to }) => {
    const [a, b] = [numbers.get(from), numbers.get(to)];
    if (a === undefined || b === undefined || seen.has(`${a} ${b}`)) return [];
    seen.add(`${a} ${b}`);
    return [[a, b] as const];
  });
}

function short(text: string, width: number): string {
  const part = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT).toWellFormed() : text;
  return clipped(visible(part).replaceAll("\t", "\\t"), width);
}
