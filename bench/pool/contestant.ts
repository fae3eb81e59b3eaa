/** Sums the bytes of items in one way, alone in its process, and prints the milliseconds: the median of five rounds. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Pool } from "../../dist/pool/index.js";
import { medianOf } from "./median.ts";
import { sum, sumOf } from "./tasks.ts";

const [name = "", count, size] = process.argv.slice(2);
const items = Array.from({ length: Number(count) }, (_, i) => new Uint8Array(Number(size)).fill(i));
const run = await open();
await run();
await run();
console.log(await medianOf(5, run));
process.exit();

async function open(): Promise<() => Promise<unknown>> {
  const pool = new Pool();
  switch (name) {
    case "loop":
      return async () => items.map((item) => sumOf(item));
    case "pawl map":
      return () => pool.map(sum, items);
    case "pawl submit":
      return () => Promise.all(items.map((item) => pool.submit(sum, item).result()));
    default: {
      const peer = await peerOf();
      return () => Promise.all(items.map((item) => peer.run(item)));
    }
  }
}

async function peerOf(): Promise<{ run(item: unknown): Promise<number> }> {
  const peers = join(import.meta.dirname, "..", ".peers");
  const path =
    name === "tinypool"
      ? join(peers, "node_modules", "tinypool", "dist", "index.js")
      : createRequire(join(peers, "package.json")).resolve(name);
  const { default: Peer } = await import(pathToFileURL(path).href);
  const threads = availableParallelism();
  const filename = new URL("./tasks.ts", import.meta.url).href;
  return new Peer({ filename, minThreads: threads, maxThreads: threads });
}
