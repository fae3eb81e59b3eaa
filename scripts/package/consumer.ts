import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeed } from "./command.ts";
import type { Description } from "./description.ts";

/** An empty program into which the tarball is installed the way a user installs it. Returns its folder. */
export function installConsumer(tarball: string, description: Description, scratch: string): string {
  const folder = join(scratch, "consumer");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const nodeTypes = `@types/node@${description.devDependencies["@types/node"]}`;
  const options = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  succeed("npm", ["install", ...options, tarball, nodeTypes], folder);
  return folder;
}
