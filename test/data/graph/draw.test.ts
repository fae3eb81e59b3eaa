import assert from "node:assert/strict";
import { test } from "node:test";
import { delayed } from "../../../src/data/delayed/delayed.ts";
import type { GraphDescription, GraphNodeKind } from "../../../src/data/graph/description.ts";
import { drawGraph } from "../../../src/data/graph/draw.ts";
import { layoutOf } from "../../../src/data/graph/layout.ts";
import { fc, runs } from "../../random.ts";

const plan: GraphDescription = {
  nodes: [
    {
      id: "scan",
      label: 'read "a\\b".csv',
      kind: "streams",
      details: { rows: "14,000,000", seconds: "2.1 s" },
    },
    { id: "group", label: "group by user: n < 3 & <b>", kind: "spills" },
    { id: "sort", label: "sort\n\u001b[31mby 日本", kind: "holds" },
  ],
  edges: [
    { from: "scan", to: "group" },
    { from: "group", to: "sort" },
    { from: "scan", to: "sort" },
    { from: "scan", to: "sort" },
  ],
};

test("Graphviz gets every text in quotes", () => {
  assert.equal(
    drawGraph(plan, "dot"),
    `digraph {
  node [shape=box, style="rounded,filled", fontname="Courier", fontsize=11, fontcolor="#0f172a"];
  edge [color="#64748b"];
  n0 [label="read \\"a\\\\b\\".csv\\nrows: 14,000,000\\nseconds: 2.1 s", fillcolor="#dcfce7", color="#15803d"];
  n1 [label="group by user: n < 3 &amp; <b>", fillcolor="#fef3c7", color="#b45309"];
  n2 [label="sort\\\\n\\\\x1b[31mby 日本", fillcolor="#fee2e2", color="#b91c1c"];
  n0 -> n1;
  n1 -> n2;
  n0 -> n2;
}
`,
  );
});

test("Mermaid gets every character that means something to it as a number", () => {
  assert.equal(
    drawGraph(plan, "mermaid"),
    `flowchart TD
  n0["read #34;a#92;b#34;#46;csv<br>rows: 14,000,000<br>seconds: 2#46;1 s"]:::streams
  n1["group by user: n #60; 3 #38; #60;b#62;"]:::spills
  n2["sort#92;n#92;x1b#91;31mby 日本"]:::holds
  n0 --> n1
  n1 --> n2
  n0 --> n2
  classDef holds fill:#fee2e2,stroke:#b91c1c,color:#0f172a
  classDef spills fill:#fef3c7,stroke:#b45309,color:#0f172a
  classDef streams fill:#dcfce7,stroke:#15803d,color:#0f172a
`,
  );
});

test("a picture stands alone, in light and dark, and is the same each time", () => {
  const svg = drawGraph(plan, "svg");
  assert.equal(drawGraph(plan, "svg"), svg);
  assert.match(svg, /prefers-color-scheme:dark/);
  assert.match(svg, />read "a\\b".csv<\/text>/);
  assert.match(svg, />group by user: n &lt; 3 &amp; &lt;b&gt;<\/text>/);
  assert.match(svg, />sort\\n\\x1b\[31mby 日本<\/text>/);
  assert.doesNotMatch(svg.replace('xmlns="http://www.w3.org/2000/svg"', ""), /http|<script|@import/);
  assert.equal([...svg.matchAll(/marker-end/g)].length, 3);
});

test("no text can become more than a text", () => {
  const nasty = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      '"]; n0 --> n1',
      "%%{init: {}}%%",
      "</text><script>",
      '\\" ]',
      "1. x",
      "- x",
      "`**x**`",
      "&quot;",
    ),
  );
  const kinds = fc.constantFrom<GraphNodeKind>("plain", "streams", "spills", "holds");
  fc.assert(
    fc.property(nasty, nasty, kinds, (label, detail, kind) => {
      const graph = { nodes: [{ id: label, label, details: { [detail]: detail }, kind }], edges: [] };
      const [, , , node, end] = drawGraph(graph, "dot").split("\n");
      assert.match(node ?? "", /^ {2}n0 \[label="(?:[^"\\]|\\[\\"n])*", fillcolor="#\w+", color="#\w+"\];$/);
      assert.equal(end, "}");
      const mermaid = drawGraph(graph, "mermaid").split("\n");
      assert.match(mermaid[1] ?? "", /^ {2}n0\["(?:[^"#%`<>&{}]|#\d+;|<br>)*"\]:::\w+$/);
      assert.equal(mermaid.length, 4);
      const svg = drawGraph(graph, "svg");
      assert.match(
        svg,
        /<text class="label"[^<>]*>[^<>]*<\/text><text class="detail"[^<>]*>[^<>]*<\/text><\/g>\n<\/svg>\n$/,
      );
      assert.doesNotMatch(svg, /[^\P{Cc}\n]|[\ufffe\uffff]/u);
      assert.ok(svg.isWellFormed());
      for (const [entity] of svg.matchAll(/&[^;]{0,8};?/g)) assert.match(entity, /^&(amp|lt|gt);$/);
    }),
    { numRuns: runs(300) },
  );
});

test("no boxes overlap, and every edge leads down", () => {
  const graph = fc.array(
    fc.record({
      width: fc.integer({ min: 40, max: 400 }),
      height: fc.integer({ min: 20, max: 90 }),
      needs: fc.array(fc.nat(), { maxLength: 3 }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(graph, (nodes) => {
      const edges = nodes.flatMap(({ needs }, to) =>
        to === 0 ? [] : needs.map((need) => [need % to, to] as const),
      );
      const layout = layoutOf(nodes, edges);
      const boxes = nodes.map(({ width, height }, at) => {
        const { x, y } = layout.boxes[at] as { x: number; y: number };
        return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
      });
      for (const [at, box] of boxes.entries()) {
        assert.ok(box.left >= 0 && box.right <= layout.width && box.top >= 0 && box.bottom <= layout.height);
        for (const other of boxes.slice(at + 1))
          assert.ok(
            box.right < other.left ||
              other.right < box.left ||
              box.bottom < other.top ||
              other.bottom < box.top,
          );
      }
      for (const points of layout.edges)
        for (const [at, point] of points.slice(1).entries()) assert.ok(point.y >= (points[at]?.y ?? 0));
    }),
    { numRuns: runs(100) },
  );
});

test("a deep and a wide graph are laid out without recursion, and one too large to be read is refused", () => {
  const step = delayed((x: number) => x, { name: "step" });
  let deep = step(1);
  for (let n = 1; n < 1_000; n++) deep = step(deep);
  assert.match(deep.graph("svg"), /<\/svg>\n$/);
  const larger = step(deep);
  assert.throws(() => larger.graph("svg"), { code: "graph.size", message: /^The graph has 1,001 nodes/ });
  assert.equal(larger.graph("dot").split("\n").length, 1_001 + 1_000 + 5);
  assert.throws(() => larger.graph("png" as "svg"), { code: "graph.format" });
  assert.match(drawGraph({ nodes: [], edges: [] }, "svg"), /<svg /);
});

test("a delayed value draws each call once", () => {
  const load = delayed((path: string) => path, { name: "load" });
  const join = delayed((a: string, b: string) => a + b, { name: "join" });
  const shared = load("a");
  assert.equal(
    join(join(shared, load("b")), shared).graph("mermaid"),
    `flowchart TD
  n0["load"]:::plain
  n1["load"]:::plain
  n2["join"]:::plain
  n3["join"]:::plain
  n0 --> n2
  n0 --> n3
  n1 --> n2
  n2 --> n3
  classDef plain fill:#f1f5f9,stroke:#64748b,color:#0f172a
`,
  );
});
