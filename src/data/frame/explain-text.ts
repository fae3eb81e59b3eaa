import stringWidth from "string-width";
import { clipped } from "../../clip.ts";
import { grouped } from "../../count-text.ts";
import { durationText } from "../../durations.ts";
import { sizeText } from "../../sizes.ts";
import { visible } from "../../visible.ts";
import type { ExplainedNode } from "../engine/contract.ts";
import type { GraphDescription } from "../graph/description.ts";

const GAP = "  ";

/** Cells of the branches in front of a step; those of a deeper one are cut. */
const DEEPEST = 24;

/** What a step does is not cut below this, however narrow the terminal is. */
const NARROWEST = 16;

/** Characters of a label that are looked at. */
const LONGEST = 2_000;

const MEANINGS: Readonly<Record<ExplainedNode["memory"], string>> = {
  streams: "goes row by row, in little memory",
  spills: "what does not fit into memory goes to disk",
  holds: "all that it keeps must fit into memory",
};

interface Line {
  readonly node: ExplainedNode;
  readonly text: string;
  /** The branches that go on below it. */
  readonly rest: string;
  /** It stands above, with its figures. */
  readonly isRepeated: boolean;
}

interface FigureColumn {
  readonly head: string;
  readonly of: (node: ExplainedNode) => string;
  readonly right: boolean;
}

const FIGURES: readonly FigureColumn[] = [
  { head: "memory", of: ({ memory }) => memory, right: false },
  { head: "rows", of: ({ rows }) => (rows === null ? "" : grouped(rows)), right: true },
  {
    head: "estimated",
    of: ({ estimatedRows }) => (estimatedRows === null ? "" : `~${roughly(estimatedRows)}`),
    right: true,
  },
  { head: "size", of: ({ bytes }) => (bytes === null ? "" : sizeText(bytes)), right: true },
  { head: "time", of: ({ seconds }) => (seconds === null ? "" : secondsText(seconds)), right: true },
];

/**
 * The steps of a run as lines for a terminal: each takes its rows from the line below it, or from those that branch off. What a step does
 * gets a line of its own where the figures leave it too little; with null as the width nothing is cut.
 */
export function explainText(root: ExplainedNode, width: number | null): string {
  const lines = linesOf(root);
  const figures = FIGURES.map(({ head, of, right }) => {
    const cells = [head, ...lines.map(({ node, isRepeated }) => (isRepeated ? "" : of(node)))];
    return { cells, right, width: widestOf(cells) };
  }).filter(({ cells }) => cells.some((cell, at) => at > 0 && cell !== ""));
  const taken = figures.reduce((sum, each) => sum + each.width + GAP.length, 0);
  const room = width === null ? Number.POSITIVE_INFINITY : Math.max(NARROWEST, width - taken);
  const labels = ["step", ...lines.map(({ text }) => text)];
  const labelWidth = Math.min(room, widestOf(labels));
  const table = labels.flatMap((label, at) => {
    const cells = figures.map(({ cells, right, width }) => padded(cells[at] ?? "", width, right));
    const lineWith = (text: string) => [padded(text, labelWidth, false), ...cells].join(GAP).trimEnd();
    if (stringWidth(label) <= labelWidth) return [lineWith(label)];
    const { rest = "", isRepeated = false } = lines[at - 1] ?? {};
    const whole = clipped(label, width ?? Number.POSITIVE_INFINITY);
    return isRepeated ? [whole] : [whole, lineWith(branches(rest))];
  });
  const met = new Set(lines.map(({ node }) => node.memory));
  const meanings = (["streams", "spills", "holds"] as const)
    .filter((kind) => met.has(kind))
    .map((kind) => `${kind.padEnd("streams".length)}${GAP}${MEANINGS[kind]}`);
  return [...table, "", "Each step takes its rows from the line below it.", ...meanings, ""].join("\n");
}

/** The same as a graph, from what is read to the result. */
export function explainGraph(root: ExplainedNode): GraphDescription {
  const ids = new Map<ExplainedNode, string>();
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (ids.has(node)) continue;
    ids.set(node, String(ids.size));
    open.push(...node.inputs.toReversed());
  }
  const nodes = [...ids].map(([node, id]) => ({
    id,
    label: node.label,
    kind: node.memory,
    details: Object.fromEntries(
      FIGURES.map(({ head, of }) => [head, of(node)] as const).filter(([, figure]) => figure !== ""),
    ),
  }));
  const edges = [...ids].flatMap(([node, to]) =>
    node.inputs.map((input) => ({ from: ids.get(input) ?? "", to })),
  );
  return { nodes, edges };
}

/** A chain of steps stands at one depth, however long it is; only the inputs of a join or a union branch off. */
function linesOf(root: ExplainedNode): Line[] {
  const uses = usesOf(root);
  const numbers = new Map<ExplainedNode, number>();
  const lines: Line[] = [];
  const open = [{ node: root, first: "", rest: "" }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, first, rest } = next;
    const known = numbers.get(node);
    const label = visible(
      node.label.length > LONGEST ? node.label.slice(0, LONGEST).toWellFormed() : node.label,
    );
    if (known !== undefined) {
      lines.push({ node, text: `${branches(first)}the same rows as step ${known}`, rest, isRepeated: true });
      continue;
    }
    const isShared = (uses.get(node) ?? 0) > 1;
    if (isShared) numbers.set(node, numbers.size + 1);
    const mark = isShared ? `step ${numbers.size}: ` : "";
    lines.push({ node, text: `${branches(first)}${mark}${label}`, rest, isRepeated: false });
    const { inputs } = node;
    const branching = inputs.map((input, at) =>
      inputs.length === 1
        ? { node: input, first: rest, rest }
        : at < inputs.length - 1
          ? { node: input, first: `${rest}├─ `, rest: `${rest}│  ` }
          : { node: input, first: `${rest}└─ `, rest: `${rest}   ` },
    );
    open.push(...branching.reverse());
  }
  return lines;
}

/** How many steps take the rows of each. */
function usesOf(root: ExplainedNode): ReadonlyMap<ExplainedNode, number> {
  const uses = new Map<ExplainedNode, number>([[root, 0]]);
  // A map is walked in the order in which it grows.
  for (const [node] of uses) for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  return uses;
}

function branches(prefix: string): string {
  return prefix.length <= DEEPEST ? prefix : `⋯${prefix.slice(1 - DEEPEST)}`;
}

/** `12`, `2.8 k`, `13 M`: an estimate is not known to the last digit. */
function roughly(count: number): string {
  const units = ["", " k", " M", " G", " T"];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${grouped(value).length > 2 || unit === 0 ? grouped(value) : Number(value.toPrecision(2))}${units[unit]}`;
}

function secondsText(seconds: number): string {
  if (seconds < 0.001) return "0 ms";
  return durationText(seconds < 1 ? Math.round(seconds * 1_000) : Math.round(seconds * 10) * 100);
}

function widestOf(texts: readonly string[]): number {
  return texts.reduce((widest, text) => Math.max(widest, stringWidth(text)), 0);
}

function padded(text: string, width: number, right: boolean): string {
  const gap = " ".repeat(Math.max(0, width - stringWidth(text)));
  return right ? gap + text : text + gap;
}
