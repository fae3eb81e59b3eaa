/** The graphs that dask_side.py builds too: what a call costs beyond its function. */
import { type Delayed, delayed } from "pawl/data";

const increment = delayed((x: number) => x + 1, { name: "increment" });
const add = delayed((a: number, b: number) => a + b, { name: "add" });
const total = delayed((parts: readonly number[]) => parts.reduce((a, b) => a + b, 0), { name: "total" });

function graph(shape: string, calls: number): Delayed<number> {
  if (shape === "wide") return total(Array.from({ length: calls - 1 }, (_, n) => increment(n)));
  if (shape === "chain") {
    let value = increment(0);
    for (let n = 1; n < calls; n++) value = increment(value);
    return value;
  }
  let level = Array.from({ length: Math.floor((calls + 1) / 2) }, (_, n) => increment(n));
  while (level.length > 1) {
    const next: Delayed<number>[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [a, b] = [level[at] as Delayed<number>, level[at + 1]];
      next.push(b === undefined ? a : add(a, b));
    }
    level = next;
  }
  return level[0] as Delayed<number>;
}

const [shape = "", calls = "0"] = process.argv.slice(2);
const made = graph(shape, Number(calls));
const began = performance.now();
const value = await made.compute();
console.log(JSON.stringify({ value, seconds: (performance.now() - began) / 1_000 }));
