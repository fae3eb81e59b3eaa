import { availableParallelism } from "node:os";
import { Pool, put, SharedArray } from "../../dist/pool/index.js";
import { contest } from "./contest.ts";
import type { Options } from "./options.ts";
import { median, timed } from "./stopwatch.ts";
import { lengthOf, squareCopy, squareInPlace, timeGet } from "./tasks.ts";
import { atLeast, atMost, beside, type Findings, milliseconds, times, type Verdict } from "./verdict.ts";

const FLOATS = 10_000_000;
const PARTS = 4;
const REFS = 7;
const BYTES = 64 * 2 ** 20;

/** What it saves to let workers read and write in place. */
export async function measureShared({ turns, python }: Options): Promise<Findings> {
  const verdicts = [...(await squares(turns, python)), ...(await gets())];
  return { text: "", verdicts };
}

async function squares(turns: number, python: boolean): Promise<Verdict[]> {
  await using pool = new Pool();
  const grid = SharedArray.zeros("float64", FLOATS);
  grid.data.fill(1);
  const plain = new Float64Array(FLOATS).fill(1);
  const size = FLOATS / PARTS;
  const parts = Array.from({ length: PARTS }, (_, at) => plain.slice(at * size, (at + 1) * size));
  const shared = await timed(() => pool.map(squareInPlace, grid.split(PARTS), { chunkSize: 1 }));
  const copied = await timed(() => pool.map(squareCopy, parts, { chunkSize: 1 }));
  const loop = await timed(() => {
    for (let at = 0; at < FLOATS; at++) plain[at] = (plain[at] as number) * (plain[at] as number);
  });
  const what = `squaring 10 M floats in ${PARTS} parts`;
  const verdicts = [
    atLeast(`${what}: in shared memory, faster than copied`, copied.warm / shared.warm, 3, times),
    beside(
      "  in shared memory, copied, and in a plain loop",
      `${milliseconds(shared.warm)}, ${milliseconds(copied.warm)}, ${milliseconds(loop.warm)}`,
    ),
  ];
  if (!python) return verdicts;
  const [pythonShared, pythonCopied] = ["floats shared", "floats copied"].map((work) =>
    milliseconds(contest(["python"], { work, count: 0, amount: 0 }, turns).get("python")?.warm ?? Number.NaN),
  );
  return [
    ...verdicts,
    beside("  Python with NumPy: in shared memory, copied", `${pythonShared}, ${pythonCopied}`),
  ];
}

async function gets(): Promise<Verdict[]> {
  await using pool = new Pool({ workers: Math.min(2, availableParallelism()) });
  const value = new Float64Array(BYTES / 8).fill(1);
  const copied = await timed(() => pool.map(lengthOf, [value], { chunkSize: 1 }));
  const firsts: number[] = [];
  const others: number[] = [];
  const puts: number[] = [];
  for (let round = 0; round < REFS; round++) {
    const began = performance.now();
    using ref = put(value);
    puts.push(performance.now() - began);
    const [first, again] = await pool.apply(timeGet, ref);
    firsts.push(first);
    others.push(again);
  }
  return [
    atMost("get of a 64 MB ref, the first time in a worker", median(firsts), 0.1, milliseconds),
    beside(
      "  the same again; put, once; sent as a copy instead",
      `${milliseconds(median(others))}; ${milliseconds(median(puts))}; ${milliseconds(copied.warm)}`,
    ),
  ];
}
