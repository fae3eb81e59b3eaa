/** Enqueues and drains with one contestant, alone in its process, and prints the Rates. */
import { openBullMq } from "./rivals/bullmq.ts";
import { openGraphileWorker } from "./rivals/graphile-worker.ts";
import { openPawl } from "./rivals/pawl.ts";
import { openPgBoss } from "./rivals/pg-boss.ts";
import type { Rival } from "./rivals/rival.ts";
import { openBareStore } from "./rivals/store.ts";

export interface Rates {
  readonly enqueueMs: number;
  readonly drainMs: number;
}

const kinds: Readonly<Record<string, (address: string) => Promise<Rival>>> = {
  pawl: openPawl,
  store: openBareStore,
  bullmq: openBullMq,
  "pg-boss": openPgBoss,
  "graphile-worker": openGraphileWorker,
};

const [kind = "", address = "", tasks = "0", warm = "0"] = process.argv.slice(2);
const open = kinds[kind];
if (open === undefined) throw new Error(`There is no contestant ${kind}`);
const rival = await open(address);
await rival.enqueue(Number(warm));
await rival.drain(Number(warm));
const began = performance.now();
await rival.enqueue(Number(tasks));
const enqueueMs = performance.now() - began;
const drainMs = await rival.drain(Number(tasks));
await rival.close();
console.log(JSON.stringify({ enqueueMs, drainMs } satisfies Rates));
process.exit();
