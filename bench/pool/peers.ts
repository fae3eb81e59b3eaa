import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const directory = join(import.meta.dirname, "..", ".peers");

/** Of an environment of its own, with NumPy. */
export const python = join(directory, "bin", "python");

const names = ["piscina", "tinypool", "workerpool"] as const;
export type PeerName = (typeof names)[number];

export const installed = names.filter((name) => existsSync(join(directory, "node_modules", name)));
export const pythonInstalled = existsSync(python);

/** A peer's pool, with a worker for each core, which knows the functions of `peer-tasks.ts` by name. */
export interface Peer {
  run(name: string, item: unknown): Promise<unknown>;
}

export async function openPeer(name: PeerName): Promise<Peer> {
  const threads = availableParallelism();
  const tasks = new URL("./peer-tasks.ts", import.meta.url);
  if (name === "workerpool") {
    const { default: workerpool } = await load(name);
    const options = { minWorkers: threads, maxWorkers: threads, workerType: "thread" };
    const pool = workerpool.pool(new URL("./peer-workerpool.ts", import.meta.url).pathname, options);
    return { run: (task, item) => pool.exec(task, [item]) };
  }
  const { default: Pool } = await load(name);
  const pool = new Pool({ filename: tasks.href, minThreads: threads, maxThreads: threads });
  return { run: (task, item) => pool.run(item, { name: task }) };
}

/** Peers are no dependencies, and so have no types here. */
// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the peer
export async function load(name: PeerName): Promise<any> {
  const path =
    name === "tinypool"
      ? join(directory, "node_modules", "tinypool", "dist", "index.js")
      : createRequire(join(directory, "package.json")).resolve(name);
  return await import(pathToFileURL(path).href);
}
