import stringWidth from "string-width";
import { grouped } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import { COLOURS, type GraphDescription, type GraphNodeKind, linesOf, numberedEdges } from "./description.ts";
import { layoutOf, type Point } from "./layout.ts";

/** A picture with more boxes cannot be read. */
const MOST_NODES = 1_000;

const LABEL_SIZE = 13;
const DETAIL_SIZE = 11;
const LINE = 1.45;
const PADDING_X = 14;
const PADDING_Y = 9;

/** The width of a character in fonts whose characters all have one, as a share of its height: a little more than in any common font. */
const CELL = 0.625;

/**
 * A graph as a picture that stands alone: no font, script or file is loaded, and it follows the light or dark scheme of what shows it.
 * Throws PawlError("graph.size") for one that is too large to be read.
 */
export function svgText(graph: GraphDescription): string {
  if (graph.nodes.length > MOST_NODES) {
    throw new PawlError(
      "graph.size",
      `The graph has ${grouped(graph.nodes.length)} nodes, and a picture of more than ${grouped(MOST_NODES)} cannot be read: draw a part of it, or take "dot" to a program for large graphs.`,
    );
  }
  const texts = graph.nodes.map(linesOf);
  const sizes = texts.map(sizeOfBox);
  const layout = layoutOf(sizes, numberedEdges(graph));
  const boxes = graph.nodes.map(({ kind }, at) => {
    const { x, y } = layout.boxes[at] as Point;
    const { width, height } = sizes[at] as { width: number; height: number };
    const top = y - height / 2;
    let baseline = top + PADDING_Y;
    const lines = (texts[at] ?? []).map((text, line) => {
      const size = line === 0 ? LABEL_SIZE : DETAIL_SIZE;
      baseline += size * LINE;
      return `<text class="${line === 0 ? "label" : "detail"}" x="${x}" y="${tenth(baseline - size * 0.4)}">${escaped(text)}</text>`;
    });
    const rect = `<rect class="${kind}" x="${tenth(x - width / 2)}" y="${tenth(top)}" width="${tenth(width)}" height="${tenth(height)}" rx="6"/>`;
    return `<g>${rect}${lines.join("")}</g>`;
  });
  const edges = layout.edges.map((points) => `<path d="${curve(points)}" marker-end="url(#arrow)"/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${layout.height}" viewBox="0 0 ${layout.width} ${layout.height}" role="img">`,
    `<style>${styles()}</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    `<rect class="ground" width="${layout.width}" height="${layout.height}"/>`,
    ...edges,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}

function sizeOfBox(lines: readonly string[]): { readonly width: number; readonly height: number } {
  let width = 0;
  let height = 2 * PADDING_Y;
  for (const [at, line] of lines.entries()) {
    const size = at === 0 ? LABEL_SIZE : DETAIL_SIZE;
    width = Math.max(width, stringWidth(line) * size * CELL);
    height += size * LINE;
  }
  return { width: Math.ceil(width + 2 * PADDING_X), height: Math.ceil(height) };
}

/** Vertical where it leaves a box, passes a layer and comes to a box. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  let before = first;
  const parts = rest.map((point) => {
    const middle = tenth((before.y + point.y) / 2);
    const part = `C${before.x},${middle} ${point.x},${middle} ${point.x},${point.y}`;
    before = point;
    return part;
  });
  return `M${first.x},${first.y} ${parts.join(" ")}`;
}

function styles(): string {
  const kinds = Object.keys(COLOURS) as GraphNodeKind[];
  const boxes = (scheme: "day" | "night") =>
    kinds
      .map((kind) => `.${kind}{fill:${COLOURS[kind][scheme][0]};stroke:${COLOURS[kind][scheme][1]}}`)
      .join("");
  const all = (scheme: "day" | "night", [ground, label, detail, edge]: readonly string[]) =>
    `.ground{fill:${ground}}.label{fill:${label}}.detail{fill:${detail}}path{stroke:${edge}}.head{fill:${edge}}${boxes(scheme)}`;
  const day = all("day", ["#ffffff", "#0f172a", "#334155", "#64748b"]);
  const night = all("night", ["#0f172a", "#f1f5f9", "#cbd5e1", "#94a3b8"]);
  return `text{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;text-anchor:middle;white-space:pre}.label{font-size:${LABEL_SIZE}px;font-weight:600}.detail{font-size:${DETAIL_SIZE}px}path{fill:none;stroke-width:1.3}.head{stroke:none}rect{stroke-width:1.2}${day}@media (prefers-color-scheme:dark){${night}}`;
}

/** Control characters are visible by now; these two are none of XML's. */
function escaped(text: string): string {
  return text
    .replace(/[\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
