import assert from "node:assert/strict";
import { test } from "node:test";
import stringWidth from "string-width";
import type { ExplainedNode } from "../../../src/data/engine/contract.ts";
import { explainGraph, explainText } from "../../../src/data/frame/explain-text.ts";
import { drawGraph } from "../../../src/data/graph/draw.ts";

function step(
  label: string,
  memory: ExplainedNode["memory"],
  inputs: readonly ExplainedNode[],
  figures: Partial<ExplainedNode> = {},
): ExplainedNode {
  return { label, memory, inputs, estimatedRows: null, rows: null, bytes: null, seconds: null, ...figures };
}

const plan = step(
  "sort by total desc, first 10",
  "holds",
  [
    step(
      "join on user",
      "spills",
      [
        step(
          "group by user: total = sum(amount), n = count()",
          "spills",
          [
            step(
              "filter amount > 100",
              "streams",
              [
                step("read CSV transactions_*.csv", "streams", [], {
                  rows: 14_000_000,
                  estimatedRows: 13_000_000,
                  bytes: 898_000_000,
                  seconds: 2.14,
                }),
              ],
              { rows: 6_123_456, estimatedRows: 2_800_000, seconds: 0.3 },
            ),
          ],
          { rows: 200_000, estimatedRows: 180_000, seconds: 1.25 },
        ),
        step("read Parquet users/**/*.parquet", "streams", [], {
          rows: 200_123,
          estimatedRows: 200_123,
          bytes: 4_200_000,
          seconds: 0.04,
        }),
      ],
      { rows: 199_990, estimatedRows: 200_000, seconds: 0.2 },
    ),
  ],
  { rows: 10, estimatedRows: 10, seconds: 0.0001 },
);

test("a run is explained in 80 columns, with what each step did to memory", () => {
  const text = explainText(plan, 80);
  assert.equal(
    text,
    `step                             memory         rows  estimated     size    time
sort by total desc, first 10     holds            10        ~10             0 ms
join on user                     spills      199,990     ~200 k           200 ms
├─ group by user: total = sum(amount), n = count()
│                                spills      200,000     ~180 k            1.3 s
│  filter amount > 100           streams   6,123,456     ~2.8 M           300 ms
│  read CSV transactions_*.csv   streams  14,000,000      ~13 M   856 MB   2.1 s
└─ read Parquet users/**/*.parquet
                                 streams     200,123     ~200 k  4.01 MB   40 ms

Each step takes its rows from the line below it.
streams  goes row by row, in little memory
spills   what does not fit into memory goes to disk
holds    all that it keeps must fit into memory
`,
  );
});

test("before a run there are estimates alone", () => {
  const text = explainText(
    step("filter a > 1", "streams", [step("read a.csv", "streams", [], { estimatedRows: 12 })]),
    80,
  );
  assert.equal(
    text,
    `step          memory   estimated
filter a > 1  streams
read a.csv    streams        ~12

Each step takes its rows from the line below it.
streams  goes row by row, in little memory
`,
  );
});

test("no line is wider than the terminal, however deep and long the steps are, and nothing in them gives orders", () => {
  let deep = step("read a.csv", "streams", []);
  for (let n = 0; n < 300; n++)
    deep = step(`join \u001b[2J${"x".repeat(200)}`, "spills", [deep, step("read b.csv", "streams", [])], {
      rows: n,
    });
  const text = explainText(deep, 60);
  for (const line of text.split("\n")) assert.ok(stringWidth(line) <= 60, line);
  assert.ok(!text.includes("\u001b"));
  let chain = step("read a.csv", "streams", []);
  for (let n = 0; n < 20_000; n++) chain = step("filter x", "streams", [chain]);
  assert.equal(explainText(chain, 80).split("\n").length, 20_001 + 5);
});

test("a step that two others use is shown once, in lines and as a graph", () => {
  const shared = step("read a.csv", "streams", [], { rows: 3 });
  const both = step("union", "streams", [step("filter x", "streams", [shared]), shared]);
  assert.equal(
    explainText(both, 80),
    `step                        memory   rows
union                       streams
├─ filter x                 streams
│  step 1: read a.csv       streams     3
└─ the same rows as step 1

Each step takes its rows from the line below it.
streams  goes row by row, in little memory
`,
  );
  const graph = explainGraph(both);
  assert.equal(graph.nodes.length, 3);
  assert.equal(graph.edges.length, 3);
  assert.match(
    drawGraph(explainGraph(plan), "mermaid"),
    /memory: spills<br>rows: 199,990<br>estimated: #126;200 k/,
  );
});
