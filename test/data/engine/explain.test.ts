import assert from "node:assert/strict";
import { test } from "node:test";
import { count, float64, fromRows, int64, text } from "../../../src/data/index.ts";

const sales = fromRows(
  { user: int64(), amount: float64() },
  Array.from({ length: 100 }, (_, at) => ({ user: BigInt(at % 7), amount: at })),
);
const users = fromRows({ user: int64(), name: text() }, [
  { user: 1n, name: "ada" },
  { user: 2n, name: "bob" },
]);

/** The steps of an explanation: what each does to memory, by what it does. */
function stepsIn(explanation: string): Map<string, string> {
  const [, ...lines] = explanation.split("\n\n")[0]?.split("\n") ?? [];
  return new Map(
    lines.map((line) => {
      const [label = "", memory = ""] = line.split(/ {2,}(?=streams|spills|holds)/);
      return [label.replace(/^[│├└─ ]+/, ""), memory.split(" ")[0] ?? ""];
    }),
  );
}

test("each step says what it does to memory", async () => {
  const totals = sales
    .filter((c) => c.amount.gt(10))
    .groupBy("user")
    .agg((c) => ({ total: c.amount.sum(), n: count() }));
  const steps = stepsIn(await totals.join(users, ["user"]).sort({ total: "desc" }).explain());
  const kinds = (what: RegExp) =>
    [...steps].filter(([label]) => what.test(label)).map(([, memory]) => memory);
  assert.deepEqual(kinds(/^sort by total desc/), ["spills"]);
  assert.deepEqual(kinds(/join on user = user/), ["spills"]);
  assert.deepEqual(kinds(/^filter amount > 10/), ["streams"]);
  assert.deepEqual(kinds(/^group by user: sum\(amount\), count\(\*\)/), ["spills"]);
  const median = sales.groupBy("user").agg((c) => ({ middle: c.amount.median() }));
  assert.deepEqual([...stepsIn(await median.explain())][0]?.[1], "holds");
});

test("a run has rows and time for each step, and gives none of its rows", async () => {
  const large = sales.filter((c) => c.amount.ge(50));
  const text = await large.explain({ run: true });
  const [head = "", first = ""] = text.split("\n");
  assert.match(head, /^step +memory +rows +.*time$/);
  assert.match(first, /^filter amount >= 50\S* +streams +50 /);
  assert.match(
    await large.graph("mermaid", { run: true }),
    /filter amount #62;= 50\S*<br>memory: streams<br>rows: 50/,
  );
});

test("what is worked out once for several steps is one step", async () => {
  const totals = sales.groupBy("user").agg((c) => ({ total: c.amount.sum() }));
  const both = totals.union(totals.filter((c) => c.total.gt(700)));
  const explained = await both.explain();
  assert.match(explained, /step 1: keep for several uses/);
  assert.match(explained, /the same rows as step 1/);
  const dot = await both.graph("dot");
  assert.equal([...dot.matchAll(/label="group by/g)].length, 1);
});

test("names of columns and files stay texts", async () => {
  const nasty = fromRows({ 'a"\u001b[2J; drop': int64() }, [{ 'a"\u001b[2J; drop': 1n }]);
  const explained = await nasty.sort({ 'a"\u001b[2J; drop': "asc" }).explain();
  assert.ok(!explained.includes("\u001b"));
  assert.match(explained, /sort by/);
});
