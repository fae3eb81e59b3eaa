/** Prints what share of a core a worker takes that has nothing to do. */
import { setTimeout as sleep } from "node:timers/promises";
import { startWorker, task } from "../../dist/tasks/index.js";

/** After the start, and then for so long. */
const REST_MS = 3_000;
const WATCH_MS = 20_000;

const [address = ""] = process.argv.slice(2);
const tasks = ["a", "b", "c", "d"].map((name) => task({ name, queue: name }, () => {}));
const worker = await startWorker({ store: address, tasks });
await sleep(REST_MS);
const before = process.cpuUsage();
const began = performance.now();
await sleep(WATCH_MS);
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1000 / (performance.now() - began));
await worker.stop();
process.exit();
