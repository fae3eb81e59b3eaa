/** Does one work in one way, alone in its process, and prints the Timing. */
import { Pool } from "../../dist/pool/index.js";
import { openPeer, type PeerName } from "./peers.ts";
import { timed } from "./stopwatch.ts";
import { busy, churn, square, squareOf, sum, sumOf } from "./tasks.ts";

const [work = "", way = "", count = "0", amount = "0"] = process.argv.slice(2);
const run = await waysOf(work);
console.log(JSON.stringify(await timed(run)));
process.exit();

function waysOf(work: string): Promise<() => unknown> {
  const indices = Array.from({ length: Number(count) }, (_, index) => index);
  switch (work) {
    case "sum": {
      const items = indices.map((index) => new Uint8Array(Number(amount)).fill(index));
      return contest(items, sum, sumOf, loopsOverBytes(items));
    }
    case "square":
      return contest(indices, square, squareOf, loopsOverNumbers(indices));
    case "churn": {
      const turns = indices.map(() => Number(amount));
      return contest(turns, busy, churn, { map: () => turns.map((each) => churn(each)) });
    }
    default:
      throw new Error(`There is no work ${work}`);
  }
}

/** Written out for each work, as a person would: a loop that calls what it is given would be another loop. */
interface Loops {
  readonly map: () => unknown;
  readonly for?: () => unknown;
}

function loopsOverBytes(items: readonly Uint8Array[]): Loops {
  return {
    map: () => items.map((item) => sumOf(item)),
    for: () => {
      const results: number[] = [];
      for (const item of items) results.push(sumOf(item));
      return results;
    },
  };
}

function loopsOverNumbers(items: readonly number[]): Loops {
  return {
    map: () => items.map((item) => squareOf(item)),
    for: () => {
      const results: number[] = [];
      for (const item of items) results.push(squareOf(item));
      return results;
    },
  };
}

async function contest<T>(
  items: readonly T[],
  fn: (item: T) => number,
  { name }: { readonly name: string },
  loops: Loops,
): Promise<() => unknown> {
  const pool = new Pool();
  switch (way) {
    case "items.map":
      return loops.map;
    case "for of":
      return loops.for ?? loops.map;
    case "pawl map":
      return () => pool.map(fn, items);
    case "pawl workers":
      // Cut into chunks on purpose, nothing runs in the caller's thread.
      return () => pool.map(fn, items, { chunkSize: Math.ceil(items.length / 64) });
    case "pawl submit":
      return () => Promise.all(items.map((item) => pool.submit(fn, item).result()));
    case "pawl awaited":
      return async () => {
        for (const item of items) await pool.submit(fn, item).result();
      };
  }
  const [peerName = "", awaited] = way.split(" ");
  const peer = await openPeer(peerName as PeerName);
  if (awaited === undefined) return () => Promise.all(items.map((item) => peer.run(name, item)));
  return async () => {
    for (const item of items) await peer.run(name, item);
  };
}
