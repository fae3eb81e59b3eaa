import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const directory = join(import.meta.dirname, "..", ".peers");

/** Of an environment of its own. */
export const python = join(directory, "bin", "python");

export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

/** Whether `bench/peers.sh` has installed a package of npm. */
export function isInstalled(name: string): boolean {
  return existsSync(join(directory, "node_modules", name));
}

/** Whether it has installed a package of Python. */
export function isInPython(name: string): boolean {
  return spawnSync(python, ["-c", `import ${name}`]).status === 0;
}

/** Peers are no dependencies, and so have no types here. */
// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the peer
export async function load(name: string): Promise<any> {
  // Resolved as for an import: some have no other entry.
  const parent = pathToFileURL(join(directory, "package.json"));
  try {
    return await import(import.meta.resolve(name, parent));
  } catch {
    return await import(pathToFileURL(createRequire(parent).resolve(name)).href);
  }
}
