import { availableParallelism } from "node:os";
import { Pool } from "../../dist/pool/index.js";
import { advice } from "./advice.ts";
import { blocksPerMicrosecond } from "./cores.ts";
import { median, once } from "./stopwatch.ts";
import { table } from "./table.ts";
import { busy, churn, type Weighed, weighed } from "./tasks.ts";
import { beside, type Findings, times } from "./verdict.ts";

const SIZES = [10, 1_000, 10_000, 100_000, 1_000_000] as const;
const COSTS_US = [1, 3, 10, 30, 100, 300, 1_000, 10_000] as const;
/** What a cell of the grid should take in the loop, and the most bytes it may have. */
const CELL_US = 60_000;
const CELL_BYTES = 32_000_000;
const LEAST_ITEMS = 16;
const ROUNDS = 5;
/** What `map` makes of chunks by itself. */
const CHUNK_US = 10_000;

/** One cell: items of one cost and one size, in the three ways. */
interface Cell {
  readonly costUs: number;
  readonly size: number;
  readonly loop: number;
  readonly workers: number;
  /** `map` without a chunk size, which chooses by itself. */
  readonly chosen: number;
  /** How many of its items `map` gave to workers, from 0 to 1. */
  readonly share: number;
}

/** From which cost of an item on workers are faster than the loop, for several sizes of items, and what `map` makes of it. */
export async function measureCrossover(): Promise<Findings> {
  const pace = await blocksPerMicrosecond();
  const cells: Cell[] = [];
  for (const size of SIZES) for (const costUs of COSTS_US) cells.push(await measureCell(costUs, size, pace));
  const grid = (text: (cell: Cell) => string) =>
    table([
      ["cost of an item", ...SIZES.map(bytes)],
      ...COSTS_US.map((cost) => [
        duration(cost),
        ...SIZES.map((size) => {
          const cell = cells.find((each) => each.costUs === cost && each.size === size);
          return cell === undefined ? "" : text(cell);
        }),
      ]),
    ]);
  const crossovers = SIZES.map((size) => ({
    size: bytes(size),
    from: crossover(cells.filter((cell) => cell.size === size)),
  }));
  const worst = cells.reduce((a, b) => (regret(a) > regret(b) ? a : b));
  const text = [
    "How many times as fast as the loop workers are, which have started before, by the size of an item",
    grid((cell) => (cell.loop / cell.workers).toFixed(2)),
    "\nWhere map, left to itself, ran the items, and its time beside the better of the two: 1.00 is as good as it gets",
    grid((cell) => `${where(cell)} ${regret(cell).toFixed(2)}`),
    `\n${await advice(crossovers)}`,
  ];
  const what = `map beside the better of loop and workers, the worst of ${cells.length} kinds of items`;
  const found = `${times(regret(worst))} at ${duration(worst.costUs)}, ${bytes(worst.size)}`;
  return { text: text.join("\n"), verdicts: [beside(what, found)] };
}

async function measureCell(costUs: number, size: number, pace: number): Promise<Cell> {
  const wanted = Math.min(Math.floor(CELL_US / costUs), Math.floor(CELL_BYTES / size));
  const blocks = Math.max(1, Math.round(costUs * pace));
  const items: Weighed[] = Array.from({ length: Math.max(LEAST_ITEMS, wanted) }, () => ({
    blocks,
    bytes: new Uint8Array(size),
  }));
  const workers = availableParallelism();
  const chunkSize = Math.max(
    1,
    Math.min(Math.round(CHUNK_US / costUs), Math.ceil(items.length / (workers * 2))),
  );
  // A pool knows a function by what it cost: for other items it must be another pool.
  await using pool = new Pool();
  await pool.map(busy, new Array<number>(workers * 8).fill(Math.round(pace * 1000)), { chunkSize: 1 });
  const loops: number[] = [];
  const forced: number[] = [];
  const chosen: number[] = [];
  let before = { inline: 0, parallel: 0 };
  for (let round = -1; round < ROUNDS; round++) {
    const loop = await once(() => items.map((item) => churn(item.blocks)));
    const parallel = await once(() => pool.map(weighed, items, { chunkSize }));
    const counted = counts(pool);
    const own = await once(() => pool.map(weighed, items));
    if (round === -1) {
      // Compiling, and what the pool learns of the function, are not what is asked here.
      before = { inline: 0, parallel: 0 };
      continue;
    }
    const after = counts(pool);
    before = {
      inline: before.inline + after.inline - counted.inline,
      parallel: before.parallel + after.parallel - counted.parallel,
    };
    loops.push(loop);
    forced.push(parallel);
    chosen.push(own);
  }
  const share = before.parallel / (before.inline + before.parallel);
  return {
    costUs,
    size,
    loop: median(loops),
    workers: median(forced),
    chosen: median(chosen),
    share,
  };
}

/** Where the items of `weighed` ran so far. */
function counts(pool: Pool): { readonly inline: number; readonly parallel: number } {
  const explained = pool.explain().functions.find((each) => each.parallel > 0 && each.function !== busy.name);
  return explained ?? { inline: 0, parallel: 0 };
}

function regret({ loop, workers, chosen }: Cell): number {
  return chosen / Math.min(loop, workers);
}

function where({ share }: Cell): string {
  return share < 0.05 ? "loop" : share > 0.95 ? "workers" : "both";
}

/**
 * The cost of an item at which both take as long, between the points of the grid on a logarithmic scale. It is where
 * the fewest points are on the wrong side, so that one that was disturbed does not move it far.
 */
function crossover(cells: readonly Cell[]): string {
  const gains = cells.map(({ costUs, loop, workers }) => ({ costUs, gain: Math.log(loop / workers) }));
  const wrong = (split: number) => gains.filter(({ gain }, at) => gain > 0 !== at >= split).length;
  const splits = Array.from({ length: gains.length + 1 }, (_, split) => split);
  const split = splits.reduce((best, each) => (wrong(each) < wrong(best) ? each : best));
  const below = gains[split - 1];
  const above = gains[split];
  if (above === undefined) return `more than ${duration(below?.costUs ?? 0)}`;
  if (below === undefined) return `less than ${duration(above.costUs)}`;
  const way = -below.gain / (above.gain - below.gain);
  return duration(below.costUs * (above.costUs / below.costUs) ** way);
}

function duration(us: number): string {
  return us >= 1000 ? `${Number((us / 1000).toPrecision(2))} ms` : `${Number(us.toPrecision(2))} µs`;
}

function bytes(size: number): string {
  const units = ["B", "KB", "MB"];
  const unit = Math.floor(Math.log10(size) / 3);
  return `${size / 1000 ** unit} ${units[unit]}`;
}
